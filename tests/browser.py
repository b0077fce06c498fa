"""A real Chromium without a window, driven through its debugging pipe."""

import base64
import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest


class Browser:
    """One Chromium with one page; what its console says is kept in ``console``."""

    def __init__(self, profile: Path) -> None:
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not program:
            pytest.skip("no Chromium; on Debian: apt-get install chromium")
        self.console: list[str] = []
        self.requests: list[str] = []
        self._number = 0
        self._loaded: set[str] = set()
        to_it, self._write = os.pipe()
        self._read, from_it = os.pipe()
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        arguments += ["--disable-dev-shm-usage"]  # in a container that is smaller than a page may need
        command = shlex.join([program, *arguments, "--remote-debugging-pipe", "about:blank"])
        self._process = subprocess.Popen(
            ["bash", "-c", f"exec {command} 3<&{to_it} 4>&{from_it}"],
            pass_fds=(to_it, from_it),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_it)
        os.close(from_it)
        self._answers = os.fdopen(self._read, "rb")
        self._session = ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send("Page.setLifecycleEventsEnabled", enabled=True)

    def open(self, path: Path, width: int, dark: bool = False) -> None:
        """Show a file at a width, in the light or the dark theme, and wait until it is loaded."""
        self.console.clear()
        self.requests.clear()
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[theme])
        # Of this page: the end of the empty one's loading may still be under way.
        loader = self.send("Page.navigate", url=path.resolve().as_uri())["loaderId"]
        while loader not in self._loaded:
            self._next()

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press a key and let it go."""
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        found = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def pdf(self) -> bytes:
        """The page as it prints."""
        return base64.b64decode(self.send("Page.printToPDF")["data"])

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask for something and wait for the answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (found := self._next()).get("id") != self._number:
            pass
        assert "error" not in found, found["error"]
        return found["result"]

    def close(self) -> None:
        """End it."""
        os.close(self._write)
        self._answers.close()
        self._process.terminate()
        self._process.wait()

    def _next(self) -> dict[str, Any]:
        """The next message; keeps what the console says and what is asked of the network."""
        parts = bytearray()
        while (byte := self._answers.read(1)) != b"\0":
            assert byte, "Chromium ended"
            parts += byte
        found = json.loads(parts)
        match found.get("method"):
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded":
                self.console.append(json.dumps(found["params"]))
            case "Page.lifecycleEvent" if found["params"]["name"] == "load":
                self._loaded.add(found["params"]["loaderId"])
            case "Network.requestWillBeSent":
                self.requests.append(found["params"]["request"]["url"])
        return found
