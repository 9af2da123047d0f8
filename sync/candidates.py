"""Linked records, from memory and from what was read just now, that records without a link may belong to."""

from __future__ import annotations

import polars as pl

from mapping.alike import SHARED_BY
from mapping.freemail import FREE_MAIL_DOMAINS, ROLE_NAMES
from mapping.own import CROSS_ID
from sync.pairs import RECORD_KEYS
from sync.read import record_keys
from sync.shelf import Shelf, lead_order
from sync.store.leads import RECORDS
from sync.work import CRMS, Work

#: What has to be known of a record to pair it.
TO_PAIR = (
    *("_id", "lead_id", "_created_at", "email", "first_name", "last_name", "company", CROSS_ID),
    *("phone", "mobile_phone"),
)
#: Links of one number, or of one name under one mail domain, that are looked at: enough to see that in one CRM more
#: have it than ``SHARED_BY``, however the others are spread.
OF_ONE_KEY = 2 * (SHARED_BY + 1)


def known_candidates(work: Work, shelf: Shelf, new: pl.DataFrame, also: pl.Series) -> pl.DataFrame:
    """Linked records from memory (``RECORD_KEYS``) that unlinked ones may belong to.

    That is: of leads with the same address or number, or the same name under one mail domain, of leads that name
    them or are named by them, by memory or by what was read just now. What memory says of an address may be older
    than what was read, and the lead's other record, which was not read, decides whether it still wants a
    counterpart. ``also``: further leads.
    """
    store = work.store.leads
    if not store.some_links():
        return pl.DataFrame(schema=dict(RECORD_KEYS))
    new = new.filter(pl.col("lead_id").is_null())
    by_email = store.links_by_email(new["email_key"])["lead_id"]
    named = new.filter(pl.col("cross_id").is_not_null()).select(
        crm=pl.when(pl.col("crm") == "hubspot").then(pl.lit("salesforce")).otherwise(pl.lit("hubspot")),
        record_id="cross_id",
    )
    objects = pl.col("crm").replace_strict(dict(work.objects), return_dtype=pl.String)
    by_cross = store.links_of_records(named.with_columns(object=objects).select(*RECORDS))["lead_id"]
    leads = pl.concat([by_email, by_cross, also, *_alike(work, new), *_met(shelf, new)]).unique()
    return _remembered(store.links_of_leads(leads))


def known_holders(work: Work, shelf: Shelf, read: list[pl.DataFrame], known: pl.DataFrame) -> pl.DataFrame:
    """``known``, and the remembered contacts that have the address of a linked Salesforce record.

    ``read`` (``RECORD_KEYS``): the linked records, read just now, that pairing looks at. A Salesforce lead without a
    contact gets none with an address that is another lead's, and that one's contact need not have changed for it.
    """
    linked = pl.col("crm") == "salesforce"
    addresses = [frame.filter(linked)["email_key"].drop_nulls() for frame in read]
    if not any(len(some) for some in addresses):
        return known
    held = work.store.leads.links_by_email(pl.concat(addresses).unique()).filter(pl.col("crm") == "hubspot")
    more = _remembered(held.filter(~pl.col("lead_id").is_in(known["lead_id"].implode())))
    for frame in shelf.frames("hubspot", ("_id",)) if not more.is_empty() else ():
        # What was read now says itself which address it has.
        more = more.filter(~pl.col("record_id").is_in(frame["_id"].implode()))
    return pl.concat([known, more])


def _remembered(links: pl.DataFrame) -> pl.DataFrame:
    """Remembered links as records to pair (``RECORD_KEYS``)."""
    local = pl.col("email_key").str.extract("^([^@+]+)", 1)
    found = links.with_columns(is_role=local.is_in(ROLE_NAMES))
    missing = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in RECORD_KEYS.items()
        if name not in found.columns
    ]
    return found.with_columns(missing).select(*RECORD_KEYS)


def _alike(work: Work, new: pl.DataFrame) -> list[pl.Series]:
    """The leads of remembered links with the number of a record that has a name, or with its name and mail domain."""
    named = new.filter(pl.col("name_key").is_not_null())
    if named.is_empty():
        return []
    domain = pl.col("email_key").str.extract("@([^@]+)$", 1)
    whole = named.filter(pl.col("name_key").str.contains(" ") & ~pl.col("is_role").fill_null(value=True))
    companies = whole.select("name_key", domain=domain).filter(~pl.col("domain").is_in(FREE_MAIL_DOMAINS))
    store = work.store.leads
    return [
        store.links_by_phone(named["phone_key"], OF_ONE_KEY)["lead_id"],
        store.links_by_name_and_domain(companies, OF_ONE_KEY)["lead_id"],
    ]


def second_addresses(work: Work, new: pl.DataFrame) -> pl.DataFrame:
    """Records that an unlinked one meets by another address of theirs: ``crm, record_id, lead_id, also``.

    That is a further address of a contact, or one that its lead had before. One whose own address is met as well
    stays with that.
    """
    unlinked = new.filter(pl.col("lead_id").is_null())
    former = work.store.former.met(unlinked["email_key"])
    theirs = unlinked.filter(pl.col("crm") != "hubspot")["email_key"].drop_nulls()
    if theirs.is_empty():
        return former.unique(["crm", "record_id"], keep="first", maintain_order=True)
    own = unlinked.filter((pl.col("crm") == "hubspot") & pl.col("email_key").is_in(theirs.implode()))
    found = work.store.identity.second_addresses(theirs)
    met = found.join(own, on=["crm", "record_id"], how="anti", maintain_order="left")
    return pl.concat([met, former]).unique(["crm", "record_id"], keep="first", maintain_order=True)


def by_the_address_they_meet(keys: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """A contact that an unlinked record meets by a further address is compared by that one."""
    return (
        keys.join(
            second.select("crm", "record_id", "also"),
            on=["crm", "record_id"],
            how="left",
            maintain_order="left",
        )
        .with_columns(email_key=pl.coalesce("also", "email_key"))
        .drop("also")
    )


def _met(shelf: Shelf, new: pl.DataFrame) -> list[pl.Series]:
    """The leads of linked records, read just now, that unlinked ones may belong to."""
    if new.is_empty():
        return []
    named, names, mailed = (
        pl.col("_id").is_in(new["cross_id"].drop_nulls().implode()),
        pl.col(CROSS_ID).is_in(new["record_id"].implode()),
        pl.col("email").str.to_lowercase().is_in(new["email_key"].drop_nulls().implode()),
    )
    numbers = new["phone_key"].drop_nulls().implode()
    met = []
    for crm in CRMS:
        for frame in shelf.frames(crm, TO_PAIR):
            tests = [
                named,
                *([names] if CROSS_ID in frame.columns else []),
                *([mailed] if "email" in frame.columns else []),
                *(pl.col(name).is_in(numbers) for name in ("phone", "mobile_phone") if name in frame.columns),
            ]
            met.append(frame.filter(pl.any_horizontal(tests))["lead_id"])
    return met


def involved(work: Work, shelf: Shelf, new: pl.DataFrame, known: pl.DataFrame) -> list[pl.DataFrame]:
    """The linked records, read just now, that pairing has to look at (``RECORD_KEYS``).

    Every record of a lead that an unlinked one meets, and whoever may compete for an address in HubSpot: the
    Salesforce records of leads without one there, and the contacts that have their addresses.
    """
    leads = pl.concat([known["lead_id"], new["lead_id"].drop_nulls()]).unique()
    alone, there = shelf.order_of_leads("salesforce"), shelf.order_of_leads("hubspot")
    alone = alone.clear() if alone.equals(there) else alone.filter(~alone.is_in(there.implode()))
    if leads.is_empty() and alone.is_empty():
        return []
    found: list[pl.DataFrame] = []
    addresses = new["email_key"]
    for crm in ("salesforce", "hubspot"):
        for frame in shelf.frames(crm, TO_PAIR):
            wanted = frame["lead_id"].is_in(leads.implode())
            if crm == "salesforce":
                wanted |= lead_order(frame["lead_id"]).is_in(alone.implode())
            elif "email" in frame.columns:
                wanted |= frame["email"].str.to_lowercase().is_in(addresses.implode()).fill_null(value=False)
            if wanted.any():
                found.append(record_keys(frame.filter(wanted), crm, work.objects[crm]))
        addresses = pl.concat([addresses, *(frame["email_key"] for frame in found)]).drop_nulls().unique()
    if not found:
        return []
    return [pl.concat(found).unique(["crm", "record_id"], keep="last", maintain_order=True)]
