from django.apps import AppConfig


class SupervisionConfig(AppConfig):
    name = "apps.supervision"
    label = "supervision"

    def ready(self) -> None:
        from apps.registry.guards import guard_definition
        from apps.supervision.guards import mandate_objections

        guard_definition(mandate_objections)
