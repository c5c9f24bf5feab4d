"""The verbs. Each module imports click alone at its top; what a verb needs is imported when it runs."""
