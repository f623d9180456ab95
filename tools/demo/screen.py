"""What the demo shows: numbered steps, one line that moves while traffic runs, a table."""
import sys
import time


class Screen:
    """quiet: nothing at all but what say_result() and failures print."""

    def __init__(self, quiet):
        self.quiet = quiet
        self.moving = sys.stdout.isatty()
        self.step_begun = None
        self.last_line = 0.0

    def line(self, text=""):
        if not self.quiet:
            print(text, flush=True)

    def step(self, text):
        """Begins a step; its time is shown when done() ends it."""
        self.step_begun = time.monotonic()
        if not self.quiet:
            print(f"  {text:<62}" if self.moving else f"  {text}",
                  end="" if self.moving else "\n", flush=True)

    def done(self):
        if not self.quiet and self.moving:
            print(f"{time.monotonic() - self.step_begun:6.1f} s", flush=True)

    def progress(self, text):
        """The moving line; on something that is not a terminal, a line every three seconds."""
        if self.quiet:
            return
        if self.moving:
            print(f"\r    {text:<92}", end="", flush=True)
        elif time.monotonic() - self.last_line >= 3:
            self.last_line = time.monotonic()
            print(f"    {text}", flush=True)

    def progress_end(self):
        if not self.quiet and self.moving:
            print(flush=True)

    def table(self, head, rows):
        if self.quiet:
            return
        widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]

        def show(row):
            cells = [str(cell).ljust(width) if i in (0, len(row) - 1) else str(cell).rjust(width)
                     for i, (cell, width) in enumerate(zip(row, widths))]
            print("    " + "   ".join(cells).rstrip())
        show(head)
        print("    " + "   ".join("─" * width for width in widths))
        for row in rows:
            show(row)
        print(flush=True)


def number(value):
    return f"{value:,.0f}".replace(",", " ")


def milliseconds(value):
    return "–" if value is None else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def bar(share, width=8):
    full = min(width, int(share * width))
    return "█" * full + "░" * (width - full)
