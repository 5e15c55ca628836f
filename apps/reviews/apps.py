from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    name = "apps.reviews"
    label = "reviews"

    def ready(self) -> None:
        from apps.decisions.followers import follow_moves
        from apps.registry.guards import guard_definition
        from apps.reviews import following
        from apps.reviews.guards import calendar_objections

        guard_definition(calendar_objections)
        follow_moves(following)
