"""The subcommands of `llmops`, one module each, with a click command of the same name.

What a command works with is imported when it runs: `llmops --help` loads none of it, and no command another one's.
"""
