from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    name = "apps.policies"
    label = "policies"

    def ready(self) -> None:
        from apps.policies.guards import policy_objections
        from apps.registry.guards import guard_definition

        guard_definition(policy_objections)
