"""A real Chromium without a screen, by chromedriver."""

import json
import pathlib
import subprocess
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from support.waiting import eventually

AXE = pathlib.Path(__file__).parents[2] / "scripts" / "axe"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Chromium:
    """One window. What its console said is an error of the test unless it was expected."""

    def __init__(self, width=1440, theme="light"):
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        # Without a sandbox, since containers run this as root; QUIC and the like would ask other hosts.
        for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "no-first-run",
                     "disable-background-networking", "disable-component-update", "hide-scrollbars",
                     f"window-size={width},1000"):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_script_timeout(30)
        self.resize(width)
        self.prefer(theme)

    def close(self):
        self.driver.quit()

    def resize(self, width, height=1000):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                    {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700})

    def prefer(self, theme):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": theme}, {"name": "prefers-reduced-motion", "value": "reduce"}]})

    # ---- looking ----

    def go(self, url):
        self.driver.get(url)
        return self

    def run(self, script, *arguments):
        """The answer of a function's body, which may wait."""
        return self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            f"(async (...given) => {{ {script} }})(...arguments).then(done, (e) => done({{failed: String(e)}}))", *arguments)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector="body"):
        """Of the first such element, as it is seen; empty where there is none."""
        try:
            found = self.all(selector)
            return found[0].text if found else ""
        except StaleElementReferenceException:
            return ""

    def see(self, words, selector="body", within=20):
        eventually(lambda: words in self.text(selector), within, lambda: f"'{words}' in {selector}: {self.text(selector)!r}")
        return self

    def see_no(self, words, selector="body", within=20):
        eventually(lambda: words not in self.text(selector), within, lambda: f"no '{words}' in {selector}")
        return self

    def click(self, selector, within=20):
        def clicked():
            for element in self.all(selector):
                try:
                    if element.is_displayed() and element.is_enabled():
                        element.click()
                        return True
                except StaleElementReferenceException:
                    pass
            return False
        eventually(clicked, within, f"something to click: {selector}")
        return self

    def type(self, selector, text):
        field = eventually(lambda: self.all(selector), 10, f"a field {selector}")[0]
        field.send_keys(text)
        return self

    def seconds_until(self, condition, within):
        begin = time.monotonic()
        eventually(condition, within, every=0.02)
        return time.monotonic() - begin

    # ---- judging ----

    def complaints(self):
        """What the console had to say since it was last asked."""
        return [f"{entry['level']} {entry['message']}" for entry in self.driver.get_log("browser")
                if entry["level"] in ("SEVERE", "WARNING")]

    def violations(self):
        """What axe-core finds on the page as it is: a line for each place."""
        self.driver.execute_script(pathlib.Path(axe()).read_text())
        found = self.run("return await axe.run(document, {runOnly: {type: 'tag', values: given[0]}, resultTypes: ['violations'],"
                         " rules: {'target-size': {enabled: true}}})", RULES)
        assert "violations" in found, found
        return [f"{one['id']}: {one['help']}: {node['html'][:200]} {json.dumps(node['any'][:1])[:300]}"
                for one in found["violations"] for node in one["nodes"]]

    def overflow(self):
        """How many pixels the page is wider than the window."""
        return self.driver.execute_script("return document.documentElement.scrollWidth - innerWidth")


def axe():
    return subprocess.run([AXE], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
