#!/usr/bin/env python3
"""Drives an organisation with Microsoft's own client, unchanged, and checks every answer.

    REQUESTS_CA_BUNDLE=cert.pem TOKEN_FILE=DIR/tokens/anna ms_sdk.py https://localhost:PORT

Needs the package PowerPlatform-Dataverse-Client. Prints one line a step; exit status 0 means that all held.
"""

import os
import sys
import time
import uuid

from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError
from PowerPlatform.Dataverse.models.upsert import UpsertItem


class TokenFile:
    """A credential that reads a bearer token from a file and notes the scopes it was asked for."""

    def __init__(self, path):
        self.path = path
        self.scopes = set()

    def get_token(self, *scopes, **_):
        self.scopes.update(scopes)
        with open(self.path, encoding="ascii") as file:
            return AccessToken(file.read().strip(), int(time.time()) + 600)


def rows(pages):
    """All rows of a listing, whether it comes page by page or row by row."""
    found = []
    for page in pages:
        found.extend(page if isinstance(page, list) else [page])
    return found


def done(step):
    print(step, "ok", flush=True)


def main(url):
    credential = TokenFile(os.environ["TOKEN_FILE"])
    client = DataverseClient(url, credential)
    mark = uuid.uuid4().hex[:12]
    address = f"ada.{mark}@example.test"

    ada = client.records.create("contact", {"firstname": "Ada", "lastname": mark, "emailaddress1": address})
    assert uuid.UUID(ada), ada
    assert credential.scopes == {f"{url}/.default"}, credential.scopes
    done("create")

    others = client.records.create("contact", [{"lastname": f"{mark} b"}, {"lastname": f"{mark} c"}])
    assert len(set(others) | {ada}) == 3, others
    done("create many")

    row = client.records.retrieve("contact", ada, select=["fullname", "emailaddress1"])
    assert row["fullname"] == f"Ada {mark}", row
    assert row["emailaddress1"] == address, row
    done("read")

    client.records.update("contact", ada, {"jobtitle": "Countess"})
    assert client.records.retrieve("contact", ada, select=["jobtitle"])["jobtitle"] == "Countess"
    done("update")

    client.records.update("contact", others, [{"jobtitle": "B"}, {"jobtitle": "C"}])
    titles = [client.records.retrieve("contact", id, select=["jobtitle"])["jobtitle"] for id in others]
    assert titles == ["B", "C"], titles
    done("update many")

    listed = rows(client.records.list("contact", filter=f"startswith(lastname,'{mark}')", select=["lastname"]))
    assert sorted(row["lastname"] for row in listed) == [mark, f"{mark} b", f"{mark} c"], listed
    done("list")

    key = UpsertItem(alternate_key={"emailaddress1": address}, record={"lastname": f"{mark} again"})
    client.records.upsert("contact", [key])
    assert client.records.retrieve("contact", ada, select=["lastname"])["lastname"] == f"{mark} again"
    done("upsert by alternate key")

    selected = client.query.sql(f"SELECT TOP 5 lastname FROM contact WHERE emailaddress1 = '{address}'")
    assert [row["lastname"] for row in selected] == [f"{mark} again"], selected
    done("sql")

    table = client.tables.get("contact")
    assert (table.logical_name, table.entity_set_name) == ("contact", "contacts"), table
    done("tables")

    batch = client.batch.new()
    batch.records.create("task", {"subject": mark})
    batch.records.update("contact", ada, {"jobtitle": "Batched"})
    batch.records.delete("contact", others[0])
    answers = batch.execute().responses
    assert [answer.status_code for answer in answers] == [204, 204, 204], answers
    task = client.records.retrieve("task", answers[0].entity_id, select=["subject"])
    assert task["subject"] == mark, task
    done("batch")

    client.records.delete("contact", ada)
    gone = rows(client.records.list("contact", filter=f"startswith(lastname,'{mark}')", select=["lastname"]))
    assert [row["lastname"] for row in gone] == [f"{mark} c"], gone
    try:
        client.records.delete("contact", ada)
    except HttpError as error:
        assert "Does Not Exist" in str(error), error
    else:
        raise AssertionError("a second delete went through")
    done("delete")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
