"""Mails as rows: kept where no server is set, sent once where one is, tried again when it is away."""

import re
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import User
from exchange.office import services
from exchange.office.models import Notice
from exchange.office.tasks import send_notices

WORD = "eleven blue horses at dawn"


class MailServer:
    """SMTP on loopback, as little of it as a client needs; remembers what it took."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refuses = False
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                visitor, _address = self.socket.accept()
            except OSError:
                return
            with visitor, visitor.makefile("rwb") as line:
                self._talk(line)

    def _talk(self, line: object) -> None:
        def say(text: str) -> None:
            line.write(f"{text}\r\n".encode())  # type: ignore[attr-defined]
            line.flush()  # type: ignore[attr-defined]

        say("220 ready")
        for raw in line:  # type: ignore[attr-defined]
            word = raw.split()[0].upper() if raw.split() else b""
            if word == b"DATA":
                say("354 go on")
                text = b"".join(iter(line.readline, b".\r\n")).decode()  # type: ignore[attr-defined]
                self.taken.append(text)
                say("250 taken")
            elif word == b"QUIT":
                say("221 bye")
                return
            else:
                say("451 not now" if self.refuses and word == b"MAIL" else "250 fine")


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    server = MailServer()
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", server.port, False
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    yield server
    server.socket.close()


@pytest.fixture
def notice(db: None) -> Notice:
    return services.mail(to="erin@example.com", kind="test", subject="Two\nlines", body="Body")


def test_without_a_mail_server_a_mail_is_kept_here(notice: Notice) -> None:
    send_notices()
    notice.refresh_from_db()
    assert notice.status == Notice.Status.KEPT


def test_a_mail_is_handed_over_once(notice: Notice, server: MailServer) -> None:
    send_notices()
    send_notices()
    notice.refresh_from_db()
    assert notice.status == Notice.Status.SENT
    assert len(server.taken) == 1
    assert "Subject: Two lines" in server.taken[0] and "no real money" in server.taken[0]


def test_a_server_that_refuses_is_asked_again_later_and_later(notice: Notice, server: MailServer) -> None:
    server.refuses = True
    waits = []
    for _number in range(3):
        Notice.objects.filter(pk=notice.pk).update(next_attempt_at=timezone.now())
        send_notices()
        notice.refresh_from_db()
        waits.append(notice.next_attempt_at - timezone.now())
    assert notice.status == Notice.Status.WAITING
    assert waits[0] < waits[1] < waits[2]
    server.refuses = False
    Notice.objects.filter(pk=notice.pk).update(next_attempt_at=timezone.now())
    send_notices()
    notice.refresh_from_db()
    assert (notice.status, notice.error) == (Notice.Status.SENT, "")


def test_a_mail_nobody_takes_is_given_up_shown_to_staff_and_sent_again_by_them(
    notice: Notice, server: MailServer
) -> None:
    server.refuses = True
    for _number in range(services.MAIL_ATTEMPTS):
        Notice.objects.filter(pk=notice.pk).update(next_attempt_at=timezone.now())
        send_notices()
    notice.refresh_from_db()
    assert notice.status == Notice.Status.FAILED
    carol = User.objects.create_superuser("carol@example.com", "a long password")
    browser = Client()
    browser.force_login(carol)
    assert "erin@example.com" in browser.get("/admin/").text
    browser.post(f"/admin/office/notice/{notice.pk}/again/", {"reason": "the server is back"})
    server.refuses = False
    send_notices()
    notice.refresh_from_db()
    assert notice.status == Notice.Status.SENT


def test_a_server_that_is_away_loses_nothing(notice: Notice, server: MailServer, settings: Settings) -> None:
    settings.EMAIL_PORT = 1
    send_notices()
    notice.refresh_from_db()
    assert notice.status == Notice.Status.WAITING
    assert notice.error


def test_a_mail_whose_sender_died_on_the_way_is_taken_up_after_the_lease(
    notice: Notice, server: MailServer
) -> None:
    assert services._take_one() is not None
    send_notices()
    assert server.taken == []
    Notice.objects.filter(pk=notice.pk).update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    send_notices()
    assert len(server.taken) == 1


def test_sweeps_at_once_send_each_mail_once(committed_db: str, server: MailServer) -> None:
    from django.db import connections

    for number in range(20):
        services.mail(to=f"erin{number}@example.com", kind="test", subject="One", body="Body")

    def sweep() -> None:
        send_notices()
        connections.close_all()

    sweeps = [threading.Thread(target=sweep) for _number in range(4)]
    for thread in sweeps:
        thread.start()
    for thread in sweeps:
        thread.join()
    assert len(server.taken) == 20
    assert set(Notice.objects.values_list("status", flat=True)) == {"SENT"}


def test_staff_read_the_text_of_a_mail(notice: Notice) -> None:
    browser = Client()
    browser.force_login(User.objects.create_superuser("carol@example.com", "a long password"))
    Notice.objects.filter(pk=notice.pk).update(body="Your code\n\nABCD-EFGH\n\n<script>alert(1)</script>")
    page = browser.get(f"/admin/office/notice/{notice.pk}/change/").text
    assert "\nABCD-EFGH\n" in page
    assert "<script>alert" not in page


def test_a_code_that_was_mailed_is_for_its_receiver_alone(
    client: Client, settings: Settings, db: None
) -> None:
    frank = User.objects.create_user("frank@example.com", "a long password")
    client.post("/accounts/signup/", {"email": "erin@example.com", "password1": WORD, "password2": WORD})
    client.post("/accounts/password/reset/", {"email": frank.email})
    codes = Notice.objects.filter(kind__in=["email_confirmation_signup", "password_reset_code"])
    browser = Client()
    browser.force_login(User.objects.create_superuser("carol@example.com", "a long password"))
    assert codes.count() == 2
    for notice in codes:
        code = re.search(r"^[A-Z0-9]{3,4}-?[A-Z0-9]{3,4}$", notice.body, re.M)
        assert code
        settings.EMAIL_HOST = ""
        assert code.group() in browser.get(f"/admin/office/notice/{notice.pk}/change/").text
        settings.EMAIL_HOST = "mail.example"
        page = browser.get(f"/admin/office/notice/{notice.pk}/change/").text
        assert code.group() not in page and "for its receiver alone" in page
