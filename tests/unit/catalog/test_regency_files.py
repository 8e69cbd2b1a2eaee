"""Seed data: what the files of the five regencies become, and how a wrong file is refused."""

from textwrap import dedent

import pytest

from deploy.seed import SeedError, documents, with_demo_accounts

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def regencies():
    return {document["regency"]["id"]: document for document in documents()}


# sites, agencies, services (of these: defaults), counters
FIGURES = {
    "bolaang-mongondow-utara": (1, 11, 11, 11, 11),
    "kutai-timur": (1, 2, 2, 2, 2),
    "lampung-tengah": (1, 10, 10, 9, 10),
    "lampung-timur": (1, 15, 46, 3, 15),
    "oku-timur": (1, 4, 4, 0, 8),
}


@pytest.mark.parametrize("slug", FIGURES)
def test_the_five_regencies_have_what_their_files_list(regencies, slug):
    document = regencies[slug]
    figures = [len(document[kind]) for kind in ("sites", "agencies", "services", "counters")]
    defaults = sum(service["default"] for service in document["services"])
    assert (*figures[:3], defaults, figures[3]) == FIGURES[slug]
    assert len(regencies) == len(FIGURES)


def test_each_agency_of_lampung_timur_has_the_counter_of_its_place_in_the_file(regencies):
    document = regencies["lampung-timur"]
    fifth = document["counters"][4]
    assert (fifth["id"], fifth["agency"]) == ("sukadana-05", "CPL")
    assert fifth["services"] == [f"CPL-{code}" for code in ("KK", "KTP", "IKD", "KIA", "SKP", "SKK")]
    assert all(service["agency"] == "CPL" for service in document["services"] if service["id"] in fifth["services"])


def test_an_agency_without_a_published_service_informs_and_advises(regencies):
    services = {service["id"]: service for service in regencies["lampung-timur"]["services"]}
    transport = [service for service in services.values() if service["agency"] == "HUB"]
    assert [(each["id"], each["name"], each["default"]) for each in transport] == [("HUB-INF", "Informasi dan Konsultasi", True)]
    assert "CPL-INF" not in services


def test_shared_counters_serve_every_service_and_belong_to_nobody(regencies):
    document = regencies["oku-timur"]
    every = [service["id"] for service in document["services"]]
    assert [counter["id"] for counter in document["counters"]] == [f"martapura-{number:02d}" for number in range(1, 9)]
    assert all(counter["services"] == every and counter["agency"] is None for counter in document["counters"])


def test_hours_are_spelled_out_by_day(regencies):
    [site] = regencies["lampung-timur"]["sites"]
    assert list(site["hours"]) == ["monday", "tuesday", "wednesday", "thursday", "friday"]
    assert site["hours"]["thursday"] == [{"open": "08:00", "close": "16:00"}]
    assert site["hours"]["friday"] == [{"open": "08:00", "close": "11:30"}, {"open": "13:30", "close": "16:00"}]


def test_dates_stay_as_exact_as_they_are_known(regencies):
    [site] = regencies["lampung-timur"]["sites"]
    assert [(each["date"], each["planned"]) for each in site["milestones"]] == [
        ("2024-12-27", False),
        ("2025-01", True),
        ("2025-06-11", False),
    ]
    [tengah] = regencies["lampung-tengah"]["sites"]
    [memorandum] = tengah["agreements"]
    assert memorandum["signed"] == "2022"
    assert len(memorandum["agencies"]) == 9


def test_demonstration_sites_take_numbers_from_everybody_at_any_hour(regencies):
    for document in regencies.values():
        for site in document["sites"]:
            assert site["channels"] == ["kiosk", "web", "front_desk"]
            assert site["accepting"]
            assert not site["enforce_hours"]
            assert site["timezone"] == document["regency"]["timezone"]


REGENCY = """
    regency: {slug: oku-timur, code: "16.08", name: OKU Timur, province: Sumatera Selatan, timezone: Asia/Jakarta, capital: Martapura}
"""
AGENCY = "{code: PTS, prefix: A, name: DPMPTSP, kind: regency}"


def site(rest, agencies=AGENCY, counters=1):
    return (
        REGENCY
        + f"""
    sites:
      - slug: martapura
        name: MPP OKU Timur
        counters: {counters}
        agencies: [{agencies}]
        {rest}
    """
    )


def read(folder, text):
    (folder / "oku-timur.yaml").write_text(dedent(text))
    [document] = documents(folder)
    return document


def test_an_agency_at_two_sites_is_one_agency_with_two_presences(tmp_path):
    document = read(
        tmp_path,
        REGENCY
        + """
    sites:
      - {slug: martapura, name: MPP, counters: 1, agencies: [{code: PTS, prefix: A, name: DPMPTSP, kind: regency}]}
      - slug: belitang
        name: MPP Belitang
        counters: 1
        agencies: [{code: PTS, prefix: B, name: DPMPTSP, kind: regency, services: [{code: IZN, name: Perizinan}]}]
    """,
    )
    [agency] = document["agencies"]
    assert agency["presences"] == [{"site": "martapura", "prefix": "A", "hours": None}, {"site": "belitang", "prefix": "B", "hours": None}]
    assert [(counter["id"], counter["services"]) for counter in document["counters"]] == [
        ("martapura-01", ["PTS-IZN"]),
        ("belitang-01", ["PTS-IZN"]),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "oku-timur.yaml: is not readable YAML"),
        ("- a list", "oku-timur.yaml: must be a mapping"),
        ("regency: {}", "oku-timur.yaml: sites: is missing"),
        (REGENCY + "    sites: {}", "oku-timur.yaml: sites: must be a list"),
        (REGENCY + "    sites: []\n    site: []", "oku-timur.yaml: site: is not known; known are regency, sites, evaluations"),
        (REGENCY + "    sites: []\n    sites: []", "sites is given twice"),
        (site("stages: planned"), r"oku-timur.yaml: sites.0.stages: is not known"),
        (site("stage: opened"), r"oku-timur.yaml: sites.0.stage: Must be one of: planned"),
        (site("timezone: Asia/Atlantis"), r"oku-timur.yaml: sites.0.timezone: An IANA time zone"),
        (site("hours: {funday: '08:00-16:00'}"), r"oku-timur.yaml: sites.0.hours.funday: must be a day or a range"),
        (site("hours: {friday-monday: '08:00-16:00'}"), r"sites.0.hours.friday-monday: must be a day or a range"),
        (site("hours: {monday-friday: '08:00-16:00', friday: '08:00-11:30'}"), r"hours.friday: friday is given twice"),
        (site("hours: {monday: morning}"), r"hours.monday: must be hours such as 08:00-16:00, not morning"),
        (site("hours: {monday: '16:00-08:00'}"), r"sites.0.hours.monday.0.close: Must be later"),
        (site("hours: {monday: '08:00-12:00,11:00-16:00'}"), r"sites.0.hours.monday: Opening hours must be in order"),
        (site("milestones: [{stage: planned}]"), r"sites.0.milestones.0.date: is missing"),
        (
            site("").replace("slug: oku-timur,", "slug: OKU,"),
            r"oku-timur.yaml: regency.slug: Lower-case letters",
        ),
        (site("", AGENCY.replace("prefix: A", "prefix: abc")), r"oku-timur.yaml: sites.0.agencies.0.prefix: "),
        (site("agreements: [{kind: MoU, signed: 2024, with: [pts]}]"), r"sites.0.agreements.0.with.0: Two to eight capital"),
        (site("", counters=2), r"sites.0.counters: must be 1, one for each agency"),
        (site("", counters="many"), r"sites.0.counters: must be a whole number"),
        (site("", "{code: PTS, prefix: A, name: DPMPTSP}"), r"sites.0.agencies.0.kind: is missing"),
        (site("", "{code: pts, prefix: A, name: DPMPTSP, kind: regency}"), r"agencies.0.code: Two to eight capital"),
        (
            site("", "{code: PTS, prefix: A, name: X, kind: regency, services: [{code: A1, name: B}, {code: A1, name: C}]}"),
            r"sites.0.agencies.0.services.1.code: A1 stands twice under PTS",
        ),
        (
            site("", "{code: PTS, prefix: A, name: X, kind: regency, services: [{code: A1, name: 7}]}"),
            r"sites.0.agencies.0.services.0.name: Must be a string",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_file_and_field(tmp_path, text, message):
    with pytest.raises(SeedError, match=message):
        read(tmp_path, text)


def test_two_files_cannot_describe_one_regency(tmp_path):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(dedent(site("")))
    with pytest.raises(SeedError, match=r"b.yaml: regency.slug: oku-timur is described by a.yaml already"):
        documents(tmp_path)


def test_a_folder_without_data_is_refused(tmp_path):
    with pytest.raises(SeedError, match=r"no \.yaml file"):
        documents(tmp_path)


def test_demonstration_accounts_have_one_for_every_role(regencies):
    document = with_demo_accounts(regencies["lampung-timur"], "embedded")
    assert {account["id"]: account["role"] for account in document["accounts"]} == {
        "officer@lampung-timur": "officer",
        "frontdesk@lampung-timur": "front_desk",
        "supervisor@lampung-timur": "supervisor",
        "admin@lampung-timur": "administrator",
        "auditor@lampung-timur": "auditor",
    }
    assert [device["id"] for device in document["devices"]] == ["kiosk@lampung-timur"]
    assert all(account["agencies"] is None for account in document["accounts"])


def test_demonstration_accounts_are_refused_outside_embedded_mode(regencies):
    with pytest.raises(SeedError, match=r"embedded mode only.*deployed mode"):
        with_demo_accounts(regencies["lampung-timur"], "deployed")
