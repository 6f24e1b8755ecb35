"""Takes alerts and events, and tells the robots of chats: DingTalk, WeCom, Feishu, Slack, Teams, or any webhook.

A robot answers HTTP 200 also when it drops a message, and says so in the body. The relay reads that, waits and tries
again, and keeps on disk what is not told yet.
"""
