"""Jobs: planning, submission, ledger, dispatch, outcome, webhooks and garbage collection."""
