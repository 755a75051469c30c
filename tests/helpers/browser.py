# SPDX-License-Identifier: MIT
"""A page as a browser has it: Chromium without a window, spoken to over pipes.

browser.py PAGE PICTURE [WIDTH HEIGHT] takes a picture of the top of a page.
"""
import base64, json, os, pathlib, select, subprocess, sys, tempfile

LIMIT = 150  # seconds to wait for an answer


class Browser:
    def __enter__(self):
        self.home = tempfile.TemporaryDirectory(prefix="cairn-browser.", ignore_cleanup_errors=True)
        to_child, self.to = os.pipe()
        self.back, from_child = os.pipe()

        # The browser reads descriptor 3 and writes descriptor 4.
        def arrange():
            a, b = os.dup(to_child), os.dup(from_child)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            ["chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--hide-scrollbars", "--remote-debugging-pipe", f"--user-data-dir={self.home.name}"],
            close_fds=False, preexec_fn=arrange, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": self.home.name})
        os.close(to_child)
        os.close(from_child)
        self.buffer, self.last, self.events = b"", 0, []
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.home.cleanup()

    def receive(self):
        while b"\0" not in self.buffer:
            if not select.select([self.back], [], [], LIMIT)[0]:
                sys.exit("the browser does not answer")
            data = os.read(self.back, 1 << 20)
            if not data:
                sys.exit("the browser is gone")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def send(self, method, session=None, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, session, method):
        while True:
            for event in self.events:
                if event.get("method") == method and event.get("sessionId") == session:
                    return event
            self.events.append(self.receive())

    def open(self, path, width=800, height=1000, dark=False, media=""):
        return Page(self, path, width, height, dark, media)


class Page:
    def __init__(self, browser, path, width, height, dark, media):
        self.browser = browser
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in "Page", "Network", "Log", "Runtime", "Accessibility":
            self.send(domain + ".enable")
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=False)
        self.send("Emulation.setEmulatedMedia", media=media, features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.send("Page.navigate", url=pathlib.Path(path).resolve().as_uri())
        browser.wait(self.session, "Page.loadEventFired")

    def send(self, method, **params):
        return self.browser.send(method, self.session, **params)

    def value(self, expression):
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            sys.exit(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def happened(self, method):
        self.send("Runtime.evaluate", expression="0")  # all before it has been told by now
        return [e["params"] for e in self.browser.events
                if e.get("sessionId") == self.session and e.get("method") == method]

    def requests(self):
        return [e["request"]["url"] for e in self.happened("Network.requestWillBeSent")]

    def complaints(self):
        return [e["entry"]["text"] for e in self.happened("Log.entryAdded")]

    def boxes(self, selector):
        return self.value("Array.from(document.querySelectorAll(%s), e => { const b = "
                          "e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })"
                          % json.dumps(selector))

    def overflow(self):
        """Elements that stick out of the page to the right."""
        return self.value("Array.from(document.querySelectorAll('body *')).filter(e => !e.closest('svg svg') && "
                          "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))")

    def roles(self):
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        return [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n.get("ignored")]

    def picture(self, path):
        data = self.send("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))


if __name__ == "__main__":
    with Browser() as browser:
        size = [int(n) for n in sys.argv[3:5]] or [800, 1000]
        browser.open(sys.argv[1], *size).picture(sys.argv[2])
