"""The only code that writes tracked files: defines from tables, values schemas, chart READMEs, the engine page."""
