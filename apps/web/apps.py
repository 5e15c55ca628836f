from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "apps.web"
    label = "web"
    verbose_name = "Pages"

    def ready(self) -> None:
        from apps.web import signals  # noqa: F401
