"""What stands behind `make`: set up, embedded servers, secrets, and the process runner. No Django in here."""
