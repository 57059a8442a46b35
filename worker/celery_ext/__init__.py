"""Extensions of Celery, kombu and billiard: every private name of theirs is used here."""
