from rest_framework.routers import SimpleRouter

from apps.campaigns.api import views

router = SimpleRouter(use_regex_path=False)
router.register("campaigns", views.CampaignViewSet, basename="campaign")
router.register("campaigns/<int:campaign_id>/people", views.PeopleViewSet, basename="campaign-people")
urlpatterns = router.urls
