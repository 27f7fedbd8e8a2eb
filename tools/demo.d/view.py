# What the demo shows: one aligned line a decision with its reasons below, and a status line that
# stays at the bottom of a terminal. Elsewhere (a file, a pipe) plain text, with the status as a
# line every few seconds. Prints, and decides nothing but what is worth showing.
import os
import shutil
import sys
import textwrap
import time

BOLD, DIM, RED, GREEN, YELLOW, BLUE, CYAN = "1", "2", "31", "32", "33", "34", "36"
COLOURS = {
    "block": "1;31", "review": "1;33", "allow": GREEN,
    "red": "1;31", "yellow": "1;33", "blue": "1;34",
    "active": GREEN, "suspended": YELLOW, "frozen": CYAN, "none": RED, "thin_file": DIM,
}  # fmt: skip
STATUS_EVERY_S = 5
NOT_AGAIN_S = 6
REASONS_AT = 20
VERDICTS = ("allow", "review", "block")
TURNS = ("alerts", "verdicts", "limits") * 4 + ("dead-letter",)


def grouped(number):
    return f"{number:,}"


def money(amount):
    """A decimal string with its thousands apart, cents left as they are."""
    whole, point, cents = str(amount).partition(".")
    return f"{int(whole):,}{point}{cents}"


def rounded_money(value):
    return "unknown" if value is None else f"{value:,.0f}"


class View:
    def __init__(self):
        self.terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.coloured = self.terminal and "NO_COLOR" not in os.environ
        self.status = ""
        self.turn = 0
        self.status_at = 0.0
        self.recent = {}

    def paint(self, text, colour):
        return f"\033[{colour}m{text}\033[0m" if self.coloured else text

    def width(self):
        return max(72, shutil.get_terminal_size().columns - 1) if self.terminal else 160

    def line(self, text=""):
        if self.terminal:
            sys.stdout.write("\r\033[K" if self.status else "")
        sys.stdout.write(text + "\n")
        if self.terminal and self.status:
            sys.stdout.write(self.status)
        sys.stdout.flush()

    def step(self, text):
        """One step of the preparation."""
        self.line(f"  {self.paint('·', DIM)} {text}")

    def show_status(self, text):
        if self.terminal:
            self.status = self.paint(text[: self.width()], "7")
            sys.stdout.write("\r\033[K" + self.status)
            sys.stdout.flush()
        elif time.monotonic() - self.status_at >= STATUS_EVERY_S:
            self.status_at = time.monotonic()
            self.line(text)

    def clear_status(self):
        if self.terminal and self.status:
            sys.stdout.write("\r\033[K")
            sys.stdout.flush()
        self.status = ""

    def heading(self):
        self.line()
        self.line(self.paint(f"  {'EVENT TIME':<16}  {'':<7}  {'MERCHANT':<12}  DECISION", DIM))

    def row(self, at, kind, merchant, text):
        when = at[:16].replace("T", " ") if at else ""
        kind = self.paint(f"{kind:<7}", BOLD)
        self.line(f"  {self.paint(f'{when:<16}', DIM)}  {kind}  {merchant:<12}  {text}")

    def reasons(self, reasons):
        room = self.width() - REASONS_AT - 20
        for reason in reasons[:3]:
            text = textwrap.shorten(reason["text"], width=max(24, room), placeholder=" …")
            code = self.paint(f"{reason['code'].lower().replace('_', ' '):<16}", CYAN)
            self.line(f"{'':<{REASONS_AT}}{self.paint('└', DIM)} {code} {text}")

    def verdict(self, record):
        word = self.paint(f"{record['verdict'].upper():<9}", COLOURS[record["verdict"]])
        text = f"{word} score {record['score']:.4f}   event {record['event_id']}"
        self.row(record["event_time"], "verdict", record["merchant_id"], text)
        self.reasons(record["reasons"])

    def limit(self, record):
        status = self.paint(f"{record['status'].replace('_', ' '):<9}", COLOURS[record["status"]])
        now, before = float(record["limit"]), float(record["previous"])
        arrow = "=" if now == before else "▲" if now > before else "▼"
        arrow = self.paint(arrow, GREEN if now > before else RED if now < before else DIM)
        text = f"{status} {arrow} {record['currency']} {money(record['limit']):>14}"
        if before > 0 and now != before:
            text += f"   was {money(record['previous'])}"
        elif now > 0 and before == 0:
            text += "   new"
        if record["tier"] is not None:
            text += f"   tier {record['tier']}"
            if now > 0 and record["price_bps"] is not None:
                text += f" at {record['price_bps'] / 100:.2f}%"
        self.row(record["event_time"], "limit", record["merchant_id"], text)
        if now < before or record["status"] in ("none", "suspended", "frozen"):
            self.reasons(record["reasons"])

    def alert(self, record):
        word = self.paint(f"{record['tier'].upper():<9}", COLOURS[record["tier"]])
        numbers = record["numbers"]
        weeks = [numbers[f"inflow_1w_ago{n}"] for n in (3, 2, 1)]
        takings = " → ".join(rounded_money(week) for week in weeks)
        rule = record["rule"].replace("_", " ")
        text = f"{word} {rule} {record['state']}: weekly takings {takings}"
        self.row(record["event_time"], "alert", record["merchant_id"], text)

    def dead_letter(self, record):
        text = self.paint(f"{record['error']}", YELLOW)
        room = self.width() - 46 - len(record["error"])
        message = textwrap.shorten(record["message"], width=max(30, room), placeholder=" …")
        self.row("", "reject", "", f"{text}  {message}")

    def show_next(self, candidates):
        """Shows one record, kinds taking turns. False if there is none."""
        for _ in TURNS:
            kind = TURNS[self.turn % len(TURNS)]
            self.turn += 1
            record = self.choose(kind, candidates[kind])
            if record is not None:
                self.show(kind, record)
                return True
        return False

    def choose(self, kind, waiting):
        """The newest record of a merchant that was not shown just before."""
        while (record := waiting.newest()) is not None:
            merchant = record.get("merchant_id", record.get("error"))
            last = self.recent.get((kind, merchant), float("-inf"))
            if time.monotonic() - last > NOT_AGAIN_S:
                self.recent[kind, merchant] = time.monotonic()
                return record
        return None

    def show(self, kind, record):
        {
            "alerts": self.alert,
            "verdicts": self.verdict,
            "limits": self.limit,
            "dead-letter": self.dead_letter,
        }[kind](record)


def status_text(at, fed, engine_rate, tally, behind):
    """The one line of counts and rates, the most telling first: a narrow terminal cuts its end."""
    verdicts = tally.verdicts
    parts = (
        f" {at}",
        f"{grouped(fed):>9} events {grouped(engine_rate):>6}/s",
        f"{grouped(tally.counts['limits'])} limits",
        f"{grouped(verdicts['review'])} review {grouped(verdicts['block'])} block",
        f"{tally.counts['alerts']} alerts",
        f"{grouped(behind)} behind ",
    )
    return " │ ".join(parts)


def summary(view, fed, engine, tally, seconds, wrong):
    """The last word: what went in, what came out, and whether it adds up."""
    view.clear_status()
    view.line()
    view.line(view.paint("  Summary", BOLD))
    rows = [
        ("events fed", sum(fed.values()), ", ".join(f"{n:,} {s}" for s, n in fed.items() if n)),
        ("consumed", engine["consumed"], outcomes(engine)),
        ("verdicts", tally.counts["verdicts"], listed(tally.verdicts, VERDICTS)),
        ("limits", tally.counts["limits"], credit(tally)),
        ("alerts", tally.counts["alerts"], opened(tally)),
        ("dead letters", tally.counts["dead-letter"], listed(tally.errors)),
        ("late", tally.counts["late"], "older than every window" if tally.counts["late"] else ""),
    ]
    for name, count, detail in rows:
        detail = textwrap.shorten(detail, width=view.width() - 32, placeholder=" …")
        view.line(f"    {name:<13} {grouped(count):>11}   {view.paint(detail, DIM)}")
    view.line(f"    {'time':<13} {seconds:>10.1f}s")
    view.line()
    for sentence in wrong:
        view.line("  " + view.paint(f"does not add up: {sentence}", RED))
    if not wrong:
        view.line(
            "  "
            + view.paint("every event is accounted for:", GREEN)
            + " consumed = scored + applied + dead-lettered + late + duplicate"
        )


def outcomes(engine):
    words = ("scored", "applied", "dead_lettered", "late", "duplicate")
    return ", ".join(f"{engine[word]:,} {word.replace('_', '-')}" for word in words)


def listed(counts, order=None):
    names = order or [name for name, _ in counts.most_common(4)]
    return ", ".join(f"{counts[name]:,} {name}" for name in names)


def credit(tally):
    sums = {}
    for currency, amount in tally.active.values():
        sums[currency] = sums.get(currency, 0) + amount
    total = ", ".join(f"{currency} {value:,.0f}" for currency, value in sorted(sums.items()))
    return f"{len(tally.active)} merchants with a limit: {total}" if sums else ""


def opened(tally):
    return f"opened: {listed(tally.tiers, ('red', 'yellow', 'blue'))}"
