package testenv

import (
	"errors"
	"os/exec"
)

// ChromiumBinary returns the path of a Chromium, or an error that says how to
// get one.
func ChromiumBinary() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("testenv: Chromium is missing: neither chromium nor google-chrome is in PATH. On Debian: make tools (which runs: apt-get install chromium)")
}

// PythonWebSockets returns the path of a Python that has the package
// websockets, a client to try ours with, or an error that says how to get it.
func PythonWebSockets() (string, error) {
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(name, "-c", "import websockets").Run() == nil {
			return exec.LookPath(name)
		}
	}
	return "", errors.New("testenv: a WebSocket client is missing: Python's package websockets. On Debian or Ubuntu: make tools (which runs: apt-get install python3-websockets)")
}
