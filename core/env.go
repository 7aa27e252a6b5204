package core

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/srt-sh/srt/core/config"
)

// listenPorts are those of the listeners inside every sandbox.
var listenPorts = []uint16{config.HTTPPort, config.SOCKSPort}

// tempDir is the private TMPDIR of a sandbox.
const tempDir = "/tmp/claude"

// noProxy keeps what the sandbox has of its own, and what only a network of the
// host could reach, from the proxy.
const noProxy = "localhost,127.0.0.1,::1,169.254.0.0/16,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"

// environment is an environment that is being changed: each name once, in its
// order of first appearance.
type environment struct {
	names  []string
	values map[string]string
}

func newEnvironment(environ []string) *environment {
	e := &environment{values: make(map[string]string, len(environ)+40)}
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if _, known := e.values[name]; !ok || name == "" || known {
			continue
		}
		e.set(name, value)
	}
	return e
}

func (e *environment) set(name, value string) {
	if _, known := e.values[name]; !known {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

func (e *environment) get(name string) string { return e.values[name] }

// remove takes out what a function accepts.
func (e *environment) remove(match func(name string) bool) {
	e.names = slices.DeleteFunc(e.names, func(name string) bool {
		if !match(name) {
			return false
		}
		delete(e.values, name)
		return true
	})
}

func (e *environment) list() []string {
	out := make([]string, 0, len(e.names))
	for _, name := range e.names {
		out = append(out, name+"="+e.values[name])
	}
	return out
}

// mark sets what tells programs that they run in a sandbox, and where their
// private TMPDIR is, if there is one.
func (e *environment) mark(temp string) {
	e.set("SANDBOX_RUNTIME", "1")
	e.set("SRT_ACTIVE", "1")
	if temp == "" {
		return
	}
	dir := temp
	for _, name := range []string{"CLAUDE_TMPDIR", "CLAUDE_CODE_TMPDIR"} {
		if value := e.get(name); value != "" {
			dir = value
		}
	}
	e.set("TMPDIR", dir)
}

// proxies points programs to the proxy by every variable that one of them reads.
// The token is the password; srt is the path of this program, which ssh runs
// inside to get through.
func (e *environment) proxies(token, srt string) {
	user := "srt"
	address := "http://" + url.UserPassword(user, token).String() + "@localhost:" + strconv.Itoa(config.HTTPPort)
	socks := "socks5h://" + url.UserPassword(user, token).String() + "@localhost:" + strconv.Itoa(config.SOCKSPort)
	for _, name := range []string{
		"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy",
		"GRPC_PROXY", "grpc_proxy", "DOCKER_HTTP_PROXY", "DOCKER_HTTPS_PROXY",
	} {
		e.set(name, address)
	}
	e.set("FTP_PROXY", socks)
	e.set("ftp_proxy", socks)
	e.set("NO_PROXY", noProxy)
	e.set("no_proxy", noProxy)
	e.set("RSYNC_PROXY", fmt.Sprintf("%s:%s@localhost:%d", user, token, config.HTTPPort))
	e.set("CLOUDSDK_PROXY_TYPE", "http")
	e.set("CLOUDSDK_PROXY_ADDRESS", "localhost")
	e.set("CLOUDSDK_PROXY_PORT", strconv.Itoa(config.HTTPPort))
	e.set("CLOUDSDK_PROXY_USERNAME", user)
	e.set("CLOUDSDK_PROXY_PASSWORD", token)
	e.set("CLAUDE_CODE_HOST_HTTP_PROXY_PORT", strconv.Itoa(config.HTTPPort))
	e.set("CLAUDE_CODE_HOST_SOCKS_PROXY_PORT", strconv.Itoa(config.SOCKSPort))
	// Node's own fetch reads the variables only with this one (Node 22.21 and 24).
	e.set("NODE_USE_ENV_PROXY", "1")
	// curl inside git tries without the password first, and not all proxies' first
	// answer makes it try again.
	e.set("GIT_CONFIG_PARAMETERS", strings.TrimSpace(e.get("GIT_CONFIG_PARAMETERS")+" 'http.proxyAuthMethod=basic'"))
	if srt != "" {
		ssh := e.get("GIT_SSH_COMMAND")
		if ssh == "" {
			ssh = "ssh"
		}
		// ssh hands the value to a shell, after replacing %.
		command := strings.ReplaceAll(shellQuote(srt), "%", "%%") + " ssh-proxy %h %p"
		e.set("GIT_SSH_COMMAND", ssh+" -o ControlMaster=no -o ControlPath=none -o ProxyCommand="+shellQuote(command))
	}
}

// safeDirectories tells git that it may trust folders that the user namespace
// shows with another owner, as settings ask.
func (e *environment) safeDirectories(dirs []string) {
	if len(dirs) == 0 || e.get("GIT_CONFIG_COUNT") == "0" {
		return
	}
	if len(dirs) > 8 {
		dirs = []string{"*"}
	}
	n, err := strconv.Atoi(e.get("GIT_CONFIG_COUNT"))
	if err != nil || n < 0 {
		n = 0
	}
	for _, dir := range dirs {
		values := []string{dir, strings.TrimSuffix(dir, "/") + "/*"}
		if dir == "*" {
			values = values[:1]
		}
		for _, value := range values {
			e.set(fmt.Sprintf("GIT_CONFIG_KEY_%d", n), "safe.directory")
			e.set(fmt.Sprintf("GIT_CONFIG_VALUE_%d", n), value)
			n++
		}
	}
	e.set("GIT_CONFIG_COUNT", strconv.Itoa(n))
}

// shellQuote makes one word of a POSIX shell.
func shellQuote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
