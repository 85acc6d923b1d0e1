"""Finding and setting up a project; tokens, addresses and what goes wrong with them."""

from __future__ import annotations

import base64
import http.server
import json
import socket
import threading
from pathlib import Path

import httpx
import pytest

from pressgang.studio.client import Studio, StudioError, connect
from pressgang.studio.project import Project, list_tasks, open_project
from pressgang.studio.push import push
from tests.conftest import mark
from tests.studio.conftest import ACCOUNT, CONFIG, PATIENCE, Run, Server

pytestmark = pytest.mark.slow


def assert_one_line(result: tuple[int, str, str], *parts: str) -> None:
    status, out, err = result
    assert (status, out) == (2, "")
    assert err.startswith("pressgang: ")
    assert err.count("\n") == 1
    for part in parts:
        assert part in err


def test_a_project_is_made_once_and_kept_in_step(
    run: Run, studio: Studio, config_file: Path, tmp_path: Path
) -> None:
    title = f"made {tmp_path.name}"
    (tmp_path / "GUIDELINES.md").write_text("# Rules\n\n| a | b |\n|---|---|\n| <b>x</b> | 2 |\n")
    init = ("studio", "init", "--title", title, "--labeling-config", config_file)
    assert "created" in run(*init)[2]
    assert "unchanged" in run(*init)[2]
    project = open_project(studio, title)
    record = studio.get(f"projects/{project.id}/")
    assert record["label_config"] == CONFIG
    assert record["show_instruction"] is True
    assert "<h1>Rules</h1>" in record["expert_instruction"]
    assert "<td>&lt;b&gt;x&lt;/b&gt;</td>" in record["expert_instruction"]

    config_file.write_text(CONFIG.replace("PLACE", "TOWN"))
    assert "updated" in run(*init)[2]
    assert open_project(studio, title).config.entity_labels == ("PERSON", "TOWN")
    push(project, [mark("a", "Ada ran.", "")])
    [task] = list_tasks(project)
    studio.post(f"tasks/{task.id}/annotations/", {"result": []})
    config_file.write_text(CONFIG)
    assert_one_line(run(*init), "lacks 'TOWN'", title)
    assert open_project(studio, title).config.entity_labels == ("PERSON", "TOWN")
    studio.delete(f"projects/{project.id}/")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ((' granularity="symbol"', ""), 'granularity="symbol"'),
        (("Relation value", "Other value"), "holds no <Relation>"),
        (("</View>", ""), "not well-formed"),
    ],
)
def test_a_config_that_would_spoil_annotations_is_refused(
    change: tuple[str, str], part: str, run: Run, config_file: Path
) -> None:
    config_file.write_text(CONFIG.replace(*change))
    assert_one_line(run("studio", "init", "--labeling-config", config_file), part)


def test_two_projects_of_one_title_are_told_apart_by_number(
    studio: Studio, project: Project
) -> None:
    twin = studio.post("projects/", {"title": project.title, "label_config": CONFIG})
    with pytest.raises(ValueError, match=f"several projects: .*{project.id}"):
        open_project(studio, project.title)
    assert open_project(studio, str(twin["id"])).id == twin["id"]
    studio.delete(f"projects/{twin['id']}/")


def test_a_wrong_project_token_or_address_is_one_line(
    run: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = ("studio", "pull", "--output", "never.json")
    assert_one_line(run(*pull, "--project", "no such"), "no project 'no such'", server.url)
    assert_one_line(run(*pull, "--project", "999999"), "not found", "999999")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{probe.getsockname()[1]}"
    assert_one_line(run(*pull, "--url", nowhere), nowhere, "nothing answers there")
    assert_one_line(run(*pull, "--url", "localhost:8080"), "is no address")
    assert_one_line(run(*pull, "--timeout", "0.001", "--project", "1"), "no answer within 0.001 s")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "f" * 40)
    assert_one_line(run(*pull), "refused the token (401: Invalid token.)")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "with a blank")
    assert_one_line(run(*pull), "this is no token")
    assert not Path("never.json").exists()


def test_without_a_token_and_a_person_the_variable_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "")
    assert_one_line(run("studio", "pull", "--output", "never.json"), "set LABEL_STUDIO_API_KEY")


def test_a_personal_access_token_works_and_is_never_shown(server: Server, studio: Studio) -> None:
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as browser:
        browser.get("/user/login/")
        form = {"email": ACCOUNT.email, "password": ACCOUNT.password}
        form["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
        browser.post("/user/login/", data=form, headers={"Referer": f"{server.url}/user/login/"})
        studio.post("jwt/settings", {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True})
        answer = browser.post("/api/token", headers={"X-CSRFToken": browser.cookies["csrftoken"]})
        token = answer.json()["token"]
    personal = connect(server.url, token)
    assert personal.get("current-user/whoami")["email"] == ACCOUNT.email
    assert token not in repr(personal)
    studio.post("token/blacklist", {"refresh": token})
    with pytest.raises(StudioError, match="refused the token") as refused:
        connect(server.url, token)
    assert token not in str(refused.value)
    head, payload, _ = token.split(".")
    with pytest.raises(StudioError, match="refused the token"):
        connect(server.url, f"{head}.{payload}.AAAA")


def personal_token() -> str:
    """What looks like a personal access token that is still good."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"token_type": "refresh", "exp": 32503680000})
    pieces = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join(piece.rstrip("=") for piece in [*pieces, "AAAA"])


@pytest.mark.parametrize("token", ["x" * 40, personal_token()])
def test_a_page_that_is_no_label_studio_is_told(token: str) -> None:
    class Page(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"<p/>")

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    page = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{page.server_port}"
    with pytest.raises(StudioError, match="expected JSON: is this the address of a Label Studio"):
        connect(url, token)
    page.shutdown()
    page.server_close()
    with pytest.raises(StudioError, match="nothing answers there"):
        connect(url, token)
