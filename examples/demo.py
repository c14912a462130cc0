"""Shows Ray jobs on Remora from end to end; `make demo` runs it.

It starts a server in a temporary data directory and runs two jobs on it with boto3, as one would with AWS Glue: 336,776
flights in the API of today's Ray, then synthetic product reviews in the API of Ray 2.4. Of each it loads the data into
the server's S3 store as Parquet, follows the run, and prints what came out and what it cost. Nothing is left behind, also
after Ctrl-C.
"""

import os
import signal
import sys
from pathlib import Path

import boto3
import demo_flights
import demo_reviews
from demo_jobs import Failed, Jobs
from demo_screen import Screen
from demo_server import Server, Stopped

ROOT = Path(__file__).resolve().parent.parent
BUCKET = "demo"

NEXT = """
Try next, with a server that stays:

  bin/remora serve &                      # state in ~/.local/share/remora
  eval "$(bin/remora env)"                # AWS CLI and SDKs now talk to it
  aws s3 mb s3://work && aws s3 cp examples/flights.py s3://work/
  aws glue create-job --name mine --role any --glue-version 4.0 --worker-type Z.2X --number-of-workers 2 \\
      --command Name=glueray,Runtime=Ray2.60,ScriptLocation=s3://work/flights.py
  aws glue start-job-run --job-name mine --arguments '{"--input": "s3://…", "--output": "s3://…"}'
  bin/remora logs -f jr_…                 # or: aws logs tail /aws-glue/ray/jobs/script-log --follow
"""


def main():
    screen = Screen()
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        with Server(ROOT / "bin/remora", screen.note) as server:
            os.environ.update(server.environment())
            boto3.client("s3").create_bucket(Bucket=BUCKET)
            jobs = Jobs(server, BUCKET, screen)
            for part in (demo_flights, demo_reviews):
                screen.print(f"\n{part.TITLE}\n")
                part.show(jobs)
            screen.print(NEXT)
            return 0
    except (Stopped, Failed) as e:
        screen.done()
        print(f"demo: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        screen.done()
        print("demo: interrupted; everything has been cleaned up", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
