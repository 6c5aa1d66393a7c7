"""What the speed and memory figures in the docs were measured with: `make bench`, each beside a yardstick."""
