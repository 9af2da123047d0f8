"""The deployment of custom fields: valid against the metadata schema that ships with simple-salesforce."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
import simple_salesforce
from lxml import etree  # type: ignore[import-untyped]

from connectors.crm import FieldSpec
from connectors.salesforce.package import NAMESPACE, object_xml, package_zip, permission_set_xml
from connectors.salesforce.watching import channel_package, member_xml

XSD = "{http://www.w3.org/2001/XMLSchema}"

SPECS = [
    FieldSpec("A__c", "A", "text", "What it is for.", length=32, unique=True),
    FieldSpec("B__c", "B", "text"),
    FieldSpec("C__c", "C & <c>", "long_text"),
    FieldSpec("D__c", "D", "number", decimals=2),
    FieldSpec("E__c", "E", "boolean", "A checkbox."),
    FieldSpec("F__c", "F", "date"),
    FieldSpec("G__c", "G", "datetime"),
    FieldSpec("H__c", "H", "choice", options=(("cold", "Cold"), ("hot", "Hot"))),
]


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    """The types of the vendor's WSDL, with an element for each kind of file."""
    wsdl = Path(simple_salesforce.__file__).parent / "metadata.wsdl"
    root = etree.parse(str(wsdl)).find(f".//{XSD}schema[@targetNamespace='{NAMESPACE}']")
    # Written and read again, it has the namespaces that were declared around it.
    types = etree.fromstring(etree.tostring(root))
    for name in ("CustomObject", "PermissionSet", "Package", "PlatformEventChannelMember"):
        etree.SubElement(types, f"{XSD}element", name=name, type=f"tns:{name}")
    return etree.XMLSchema(types)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.type + "-unique" * spec.unique)
def test_a_field_of_each_type_is_valid_metadata(schema: etree.XMLSchema, spec: FieldSpec) -> None:
    schema.assertValid(etree.fromstring(object_xml([spec])))


def test_the_permission_set_is_valid_and_names_no_licence(schema: etree.XMLSchema) -> None:
    document = etree.fromstring(permission_set_xml({"Lead.B__c": False, "Lead.A__c": True}))
    schema.assertValid(document)
    assert document.find(f"{{{NAMESPACE}}}license") is None
    fields = document.findall(f"{{{NAMESPACE}}}fieldPermissions/{{{NAMESPACE}}}field")
    assert [field.text for field in fields] == ["Lead.A__c", "Lead.B__c"]
    editable = document.findall(f"{{{NAMESPACE}}}fieldPermissions/{{{NAMESPACE}}}editable")
    assert [field.text for field in editable] == ["true", "false"]


def test_the_zip_is_in_metadata_format_and_the_same_every_time(schema: etree.XMLSchema) -> None:
    package = package_zip("Lead", SPECS, {"Lead.A__c": True}, "66.0")
    assert package == package_zip("Lead", SPECS, {"Lead.A__c": True}, "66.0")
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        assert sorted(archive.namelist()) == [
            "objects/Lead.object",
            "package.xml",
            "permissionsets/Leadpact_Integration.permissionset",
        ]
        manifest = etree.fromstring(archive.read("package.xml"))
    schema.assertValid(manifest)
    members = [member.text for member in manifest.iter(f"{{{NAMESPACE}}}members")]
    assert members == [*(f"Lead.{spec.name}" for spec in SPECS), "Leadpact_Integration"]


def test_access_alone_is_deployed_without_an_object() -> None:
    with zipfile.ZipFile(io.BytesIO(package_zip("Lead", [], {"Lead.A__c": True}, "66.0"))) as archive:
        assert "objects/Lead.object" not in archive.namelist()


def test_a_unique_text_is_an_external_id() -> None:
    document = etree.fromstring(object_xml(SPECS[:1]))
    values = {str(child.tag).split("}")[1]: child.text for child in document[0]}
    assert (values["externalId"], values["unique"], values["caseSensitive"]) == ("true", "true", "false")
    assert values["length"] == "32"


@pytest.mark.parametrize(
    ("name", "member", "entity"),
    [
        ("Lead", "ChangeEvents_LeadChangeEvent", "LeadChangeEvent"),
        ("Big_Deal__c", "ChangeEvents_Big_Deal_ChangeEvent", "Big_Deal__ChangeEvent"),
    ],
)
def test_an_object_is_selected_for_change_data_capture_by_valid_metadata(
    schema: etree.XMLSchema, name: str, member: str, entity: str
) -> None:
    document = etree.fromstring(member_xml(name))
    schema.assertValid(document)
    assert [child.text for child in document] == ["ChangeEvents", entity]
    with zipfile.ZipFile(io.BytesIO(channel_package([name], "66.0"))) as archive:
        path = f"platformEventChannelMembers/{member}.platformEventChannelMember"
        assert sorted(archive.namelist()) == ["package.xml", path]
        manifest = etree.fromstring(archive.read("package.xml"))
    schema.assertValid(manifest)
    assert [found.text for found in manifest.iter(f"{{{NAMESPACE}}}members")] == [member]
