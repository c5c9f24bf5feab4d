"""The verbs. At its top a module imports only what is light; what a verb needs is imported when it runs."""
