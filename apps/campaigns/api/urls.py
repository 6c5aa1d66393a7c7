from rest_framework.routers import SimpleRouter

from apps.campaigns.api import views

router = SimpleRouter()
router.register("campaigns", views.CampaignViewSet, basename="campaign")
router.register(r"campaigns/(?P<campaign_id>\d+)/people", views.PeopleViewSet, basename="campaign-people")
urlpatterns = router.urls
