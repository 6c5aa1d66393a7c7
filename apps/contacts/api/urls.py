from rest_framework.routers import SimpleRouter

from apps.contacts.api import import_views, views

router = SimpleRouter(use_regex_path=False)
router.register("contact-lists", views.ContactListViewSet, basename="contact-list")
router.register("contacts", views.ContactViewSet, basename="contact")
router.register("contact-imports", import_views.ImportViewSet, basename="contact-import")
router.register("dnc", views.DncViewSet, basename="dnc")
router.register("consents", views.ConsentViewSet, basename="consent")
urlpatterns = router.urls
