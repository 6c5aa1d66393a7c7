from rest_framework.routers import SimpleRouter

from apps.calls.api import agents, recordings, views

router = SimpleRouter(use_regex_path=False)
router.register("numbers", views.NumberViewSet, basename="number")
router.register("virtual-agents", agents.VirtualAgentViewSet, basename="virtual-agent")
router.register("transfer-targets", agents.TransferTargetViewSet, basename="transfer-target")
router.register("dispositions", views.DispositionViewSet, basename="disposition")
router.register("calls", views.CallViewSet, basename="call")
router.register("recordings", recordings.RecordingViewSet, basename="recording")
urlpatterns = router.urls
