"""What `aws logs tail --follow` asks for. Only version 2 of the AWS CLI has that command, and it is not on PyPI; this does
the same requests in the same order (awscli/customizations/logs/tail.py of its version 2)."""

import time


class Tail:
    """Events of a group from ten minutes ago on; each is shown once."""

    def __init__(self, logs, group, **selection):
        self.logs = logs
        self.arguments = {"logGroupName": group, "interleaved": True, **selection}
        self.start = int(time.time() * 1000) - 10 * 60 * 1000
        self.seen = {}  # ids of events by their time; those of the latest time come again

    def news(self):
        """The messages that are new since the last call."""
        messages, token = [], None
        while True:
            page = self.logs.filter_log_events(**self.arguments, startTime=self.start, **({"nextToken": token} if token else {}))
            for event in page["events"]:
                if event["eventId"] not in self.seen.get(event["timestamp"], ()):
                    self.seen.setdefault(event["timestamp"], set()).add(event["eventId"])
                    messages.append(event["message"])
            token = page.get("nextToken")
            if not token:
                break
        if self.seen:
            self.start = max(self.seen)
            self.seen = {self.start: self.seen[self.start]}
        return messages
