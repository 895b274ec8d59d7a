"""A queue of SQS for `publish` of the module beside this one, through `boto3`."""

from collections import Counter
from collections.abc import Sequence

import boto3
from botocore.config import Config

from publisher import JSON, Queue, Update, name_of

MOST = 10  # Messages in one request of SQS


def sqs(url: str, seconds: float = 0.9) -> Queue:
    """Sends each update's JSON as a message; where the queue's name ends with `.fifo`, in order for each token."""
    # `publish` only stops waiting when its time is over; this ends what it waited for
    config = Config(connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 2})
    client = boto3.client("sqs", config=config)

    def message(update: Update, number: int, alike: Counter[str]) -> dict[str, str]:
        message = {"Id": str(number), "MessageBody": JSON.encode({**update})}
        if url.endswith(".fifo"):
            message |= {"MessageGroupId": update["token"], "MessageDeduplicationId": name_of(update, alike)[:128]}
        return message

    def send(updates: Sequence[Update]) -> None:
        alike = Counter[str]()
        for at in range(0, len(updates), MOST):
            messages = [message(update, number, alike) for number, update in enumerate(updates[at : at + MOST])]
            refused = client.send_message_batch(QueueUrl=url, Entries=messages).get("Failed")
            if refused:
                raise RuntimeError(f"SQS refused {len(refused)} of {len(messages)} messages: {refused[0]['Code']}")

    return send
