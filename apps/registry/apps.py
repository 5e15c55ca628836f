from django.apps import AppConfig


class RegistryConfig(AppConfig):
    name = "apps.registry"
    label = "registry"

    def ready(self) -> None:
        from apps.accounts.scopes import know_scopes
        from apps.registry.selectors import use_case_by_slug

        know_scopes(lambda slug: use_case_by_slug(slug) is not None)
