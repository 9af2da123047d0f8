"""dlt's rest_api source over the contacts of a HubSpot, to files of JSON lines. A program for dlt's own environment.

    python dlt_hubspot.py '{"url": "https://api.hubapi.com", "token": "…", "properties": ["email"], "folder": "…"}'

Prints one JSON line: ``extract`` and ``whole``, each with wall and processor seconds of this process and its children,
and ``files``, where the lines are. Nothing of dlt is changed.
"""

import json
import resource
import sys
import time
from pathlib import Path

import dlt  # type: ignore[import-not-found]  # lives in an environment of its own
from dlt.sources.rest_api import rest_api_source  # type: ignore[import-not-found]


def _spent() -> tuple[float, float]:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.monotonic(), sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    """Extract, then normalize and load, and say what each took."""
    asked = json.loads(sys.argv[1])
    folder = Path(asked["folder"])
    source = rest_api_source(
        {
            "client": {
                "base_url": asked["url"],
                "auth": {"type": "bearer", "token": asked["token"]},
                "paginator": {"type": "cursor", "cursor_path": "paging.next.after", "cursor_param": "after"},
            },
            "resources": [
                {
                    "name": "contacts",
                    "endpoint": {
                        "path": "crm/v3/objects/contacts",
                        "params": {"limit": 100, "properties": ",".join(asked["properties"])},
                        "data_selector": "results",
                    },
                }
            ],
        }
    )
    bucket = folder / "loaded"
    pipeline = dlt.pipeline(
        "contacts",
        destination=dlt.destinations.filesystem(bucket_url=bucket.as_uri()),
        dataset_name="crm",
        pipelines_dir=str(folder / "pipelines"),
    )
    began = _spent()
    pipeline.extract(source, loader_file_format="jsonl")
    extracted = _spent()
    pipeline.normalize()
    pipeline.load()
    ended = _spent()
    took = {
        name: dict(zip(("wall", "cpu"), (b - a for a, b in zip(began, until, strict=True)), strict=True))
        for name, until in (("extract", extracted), ("whole", ended))
    }
    files = [str(path) for path in bucket.rglob("contacts/*.jsonl*")]
    sys.stdout.write(json.dumps({**took, "files": files}) + "\n")


if __name__ == "__main__":
    main()
