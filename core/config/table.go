package config

import (
	"path"
	"strings"

	"github.com/srt-sh/srt/core/policy"
)

// The table of all settings. It is made when it is needed, not at start.

func boolSpec() *spec                { return &spec{shape: shapeBool} }
func textSpec() *spec                { return &spec{shape: shapeString} }
func wordSpec() *spec                { return &spec{shape: shapeString, nonEmpty: true} }
func intSpec(lo, hi int) *spec       { return &spec{shape: shapeInt, min: lo, max: hi} }
func listSpec(e *spec) *spec         { return &spec{shape: shapeList, elem: e} }
func enumSpec(words ...string) *spec { return &spec{shape: shapeEnum, enum: words} }

func checked(check func(string) string) *spec { return &spec{shape: shapeString, check: check} }

func rootSpec() *spec {
	return &spec{shape: shapeObject, fields: []field{
		{name: "managedOnly", doc: "Machine-wide file only: nothing else may widen what this file allows.", spec: boolSpec(), only: formTOML},
		{name: "allowWeaker", doc: "Protections that may be had in a weaker form where this system cannot have the full one.", spec: listSpec(enumSpec(WeakerNames()...)), only: formTOML},
		{name: "network", doc: "What may be reached.", spec: networkSpec(), required: true},
		{name: "filesystem", doc: "What may be read and written.", spec: filesystemSpec(), required: true},
		{name: "environment", doc: "Which variables the command gets.", only: formTOML, spec: &spec{shape: shapeObject, fields: []field{
			{name: "deny", doc: "Variables that the command does not get, by name or pattern.", spec: listSpec(checked(envPattern))},
			{name: "keep", doc: "Variables that it gets although a deny of the same or a weaker layer matches.", spec: listSpec(checked(envPattern))},
		}}},
		{name: "permissions", doc: "Permission strings as in Claude Code's settings.", only: formTOML, spec: &spec{shape: shapeObject, fields: []field{
			{name: "allow", doc: "What is allowed.", spec: listSpec(wordSpec())},
			{name: "deny", doc: "What is denied, whatever else allows it.", spec: listSpec(wordSpec())},
		}}},
		{name: "limits", doc: "Upper limits of resources.", only: formTOML, spec: limitsSpec()},
		{name: "guard", doc: "What tools are told to guard against.", only: formTOML, spec: &spec{shape: shapeObject, fields: []field{
			{name: "minReleaseAge", doc: "How old a release has to be for tools to pick it, such as 72h or 3d; the longest of all files counts.", spec: &spec{shape: shapeString, check: ageEntry, example: `"72h"`}},
		}}},
		{name: "scripts", doc: "What the scripts of packages get, where npm is told to start them by srt: see srt hook npm.", only: formTOML, spec: &spec{shape: shapeObject, fields: []field{
			{name: "network", doc: "They reach the hosts that the command itself reaches; by default none.", spec: boolSpec()},
			{name: "allowWrite", doc: "Paths that the scripts of all packages may write besides, as far as the command itself may.", spec: listSpec(checked(plainPath))},
		}}},
		{name: "report", doc: "What is told of what was refused.", only: formTOML, spec: &spec{shape: shapeObject, fields: []field{
			{name: "files", doc: "Linux: tell which files the command was refused (true unless set).", spec: boolSpec()},
		}}},
		{name: "command", doc: "Which commands the shell integration sandboxes, and how.", only: formTOML, spec: listSpec(&spec{shape: shapeObject, fields: []field{
			{name: "match", doc: "Command patterns: shell words, * for any.", required: true, spec: &spec{shape: shapeList, nonEmpty: true, elem: checked(commandPattern)}},
			{name: "preset", doc: "The preset that governs them.", spec: wordSpec()},
		}})},
		{name: "credentials", doc: "Secrets to hide or to mask.", spec: credentialsSpec()},
		{name: "ignoreViolations", doc: "Violations not to report: a part of the command, or *, to parts of the report's line.", spec: &spec{shape: shapeMap, elem: listSpec(textSpec())}},
		{name: "enableWeakerNestedSandbox", doc: "Run inside a container that allows no fresh /proc.", spec: boolSpec()},
		{name: "allowNestedUserNamespaces", doc: "Let the command make user namespaces, as browsers and rootless containers do.", spec: boolSpec()},
		{name: "enableWeakerNetworkIsolation", doc: "macOS: allow the trust daemon, which Go programs need for TLS.", spec: boolSpec()},
		{name: "allowAppleEvents", doc: "macOS: allow Apple events and opening other applications, which leave the sandbox.", spec: boolSpec()},
		{name: "ripgrep", doc: "Accepted and not used: srt needs no ripgrep.", only: formJSON, spec: &spec{shape: shapeObject, fields: []field{
			{name: "command", spec: textSpec(), required: true},
			{name: "args", spec: listSpec(textSpec())},
			{name: "argv0", spec: textSpec()},
		}}},
		{name: "mandatoryDenySearchDepth", doc: "How deep protected names are looked for.", spec: intSpec(1, 10)},
		{name: "allowPty", doc: "macOS: allow pseudo-terminals.", spec: boolSpec()},
		{name: "seccomp", doc: "Accepted and not used: srt needs no helper.", only: formJSON, spec: &spec{shape: shapeObject, fields: []field{
			{name: "applyPath", spec: textSpec()},
			{name: "argv0", spec: textSpec()},
		}}},
		{name: "bwrapPath", doc: "Linux: the bubblewrap program.", spec: binarySpec()},
		{name: "socatPath", doc: "Accepted and not used: srt needs no socat.", only: formJSON, spec: binarySpec()},
		{name: "javaAgentJarPath", doc: "Accepted and not used.", only: formJSON, spec: binarySpec()},
		{name: "windows", doc: "Accepted and not used.", only: formJSON, spec: windowsSpec()},
		{name: "git", doc: "Git settings for the command.", spec: &spec{shape: shapeObject, fields: []field{
			{name: "safeDirectories", doc: "Directories that git takes for safe.", spec: listSpec(textSpec())},
		}}},
	}}
}

func networkSpec() *spec {
	allowed := checked(domainEntry(false))
	denied := checked(domainEntry(true))
	plain := checked(domainHost)
	domains := func(elem *spec) *spec { return &spec{shape: shapeList, elem: elem, example: `["example.com"]`} }
	return &spec{shape: shapeObject, fields: []field{
		{name: "allowedDomains", required: true, only: formJSON, spec: domains(allowed)},
		{name: "allowedDomains", doc: "Hosts that may be reached: example.com, *.example.com for all below it, .example.com for both, [::1], each with an optional :port.", only: formTOML, spec: domains(checked(dottedEntry(false)))},
		{name: "deniedDomains", required: true, only: formJSON, spec: domains(denied)},
		{name: "deniedDomains", doc: "Hosts that may not, whatever else allows them; * is every host.", only: formTOML, spec: domains(checked(dottedEntry(true)))},
		{name: "deniedDomainReasons", doc: "What a client is told, by entry of denied_domains.", spec: &spec{shape: shapeMap, elem: wordSpec()}},
		{name: "strictAllowlist", doc: "Nobody is asked about a host that is on no list.", spec: boolSpec()},
		{name: "deniedResolvedAddresses", only: formJSON, spec: listSpec(checked(addrEntry))},
		{name: "deniedResolvedAddresses", doc: "Addresses and ranges that an allowed name may not resolve to; \"private\" is all private ranges.", only: formTOML, spec: listSpec(checked(addrOrPrivate))},
		{name: "allowUnixSockets", doc: "Unix sockets that may be connected to, by path.", spec: listSpec(textSpec())},
		{name: "allowAllUnixSockets", doc: "Allow every unix socket.", spec: boolSpec()},
		{name: "allowLocalBinding", doc: "macOS: allow listening on and connecting to local ports.", spec: boolSpec()},
		{name: "allowMachLookup", doc: "macOS: Mach services that may be looked up; one * at the end at most.", spec: listSpec(checked(machService))},
		{name: "httpProxyPort", doc: "Port of an HTTP proxy to use in place of srt's, which then filters nothing.", spec: intSpec(1, 65535)},
		{name: "socksProxyPort", doc: "The same for SOCKS.", spec: intSpec(1, 65535)},
		{name: "mitmProxy", doc: "A proxy on a unix socket that some domains go through.", spec: &spec{shape: shapeObject, fields: []field{
			{name: "socketPath", doc: "Path of the socket.", spec: wordSpec(), required: true},
			{name: "domains", doc: "The domains, without ports.", spec: &spec{shape: shapeList, nonEmpty: true, elem: plain}, required: true},
		}}},
		{name: "filterRequest", only: formJSON, spec: &spec{shape: shapeFunction}},
		{name: "allowPlaintextHeaderSet", only: formJSON, spec: boolSpec()},
		{name: "stripResponseHeaders", doc: "Response headers that the command never sees.", spec: listSpec(wordSpec())},
		{name: "refuseOpaqueTunnels", doc: "Refuse tunnels that cannot be looked into.", spec: boolSpec()},
		{name: "requireHostMatch", doc: "Refuse a request whose Host header or TLS name is not where it goes.", spec: boolSpec()},
		{name: "ambiguousRequestTarget", only: formJSON, spec: enumSpec("refuse", "asSpelled", "normalize")},
		{name: "tlsTerminate", doc: "Look into TLS with a CA that the command trusts.", spec: &spec{shape: shapeObject, whole: caPair, fields: []field{
			{name: "caCertPath", doc: "PEM certificate of the CA; without it one is made for the run.", spec: wordSpec()},
			{name: "caKeyPath", doc: "PEM key of the CA.", spec: wordSpec()},
			{name: "excludeDomains", doc: "Domains whose TLS is left alone.", spec: listSpec(plain)},
			{name: "extraCaCertPaths", doc: "Further CA certificates that the command trusts.", spec: listSpec(wordSpec())},
			{name: "maxTunnels", doc: "Tunnels at once.", spec: intSpec(1, 65536)},
			{name: "handshakeTimeoutMs", doc: "Milliseconds for a TLS handshake.", spec: intSpec(100, 600000)},
		}}},
		{name: "parentProxy", doc: "The proxy that srt itself goes through.", spec: &spec{shape: shapeObject, fields: []field{
			{name: "http", doc: "URL for plain HTTP.", spec: checked(urlEntry)},
			{name: "https", doc: "URL for TLS.", spec: checked(urlEntry)},
			{name: "noProxy", doc: "Destinations that go direct, as in NO_PROXY.", spec: textSpec()},
		}}},
		{name: "forwardLoopback", doc: "Ports of the host's 127.0.0.1 that are reachable inside, under the same numbers.", only: formTOML, spec: portsSpec()},
		{name: "listen", doc: "Ports that are listened on inside and are reachable on the host's 127.0.0.1, under the same numbers.", only: formTOML, spec: portsSpec()},
	}}
}

// portsSpec is of ports that can be listened on inside, where nothing may use those
// below 1024.
func portsSpec() *spec {
	return &spec{shape: shapeList, elem: &spec{shape: shapeInt, min: 1024, max: 65535}, example: "[3000]"}
}

func filesystemSpec() *spec {
	paths := func() *spec {
		return &spec{shape: shapeList, elem: &spec{shape: shapePath}, example: `["path"]`}
	}
	return &spec{shape: shapeObject, fields: []field{
		{name: "disabled", doc: "Lift every file rule, the protected names too.", spec: boolSpec()},
		{name: "denyRead", doc: "Paths that may not be read.", spec: paths(), required: true},
		{name: "allowRead", doc: "Paths that may be read inside of denied ones; the deeper entry wins.", spec: paths()},
		{name: "allowWrite", doc: "Paths that may be written, with all beneath them.", spec: paths(), required: true},
		{name: "denyWrite", doc: "Paths that may not be written, whatever allows them.", spec: paths(), required: true},
		{name: "allowCache", doc: "Caches of tools: writable, and not searched for protected names.", spec: paths(), only: formTOML},
		{name: "allowGitConfig", doc: "Allow writing .git/config.", spec: boolSpec()},
	}}
}

func limitsSpec() *spec {
	return &spec{shape: shapeObject, fields: []field{
		{name: "memory", doc: "Memory of all processes together, such as 4GiB.", spec: &spec{shape: shapeString, check: memoryEntry, example: `"4GiB"`}},
		{name: "processes", doc: "Processes and threads at once.", spec: &spec{shape: shapeInt, min: minProcesses, max: maxProcesses, example: "2048"}},
		{name: "cpu", doc: "Processors' worth of time, such as 2.0.", spec: &spec{shape: shapeFloat, example: "2.0"}},
		{name: "time", doc: "Time until the command is ended, such as 30m.", spec: &spec{shape: shapeString, check: durationEntry, example: `"30m"`}},
		{name: "tmp", doc: "Size of the private TMPDIR and of /dev/shm, each; a quarter of the memory unless set.", spec: &spec{shape: shapeString, check: sizeEntry, example: `"1GiB"`}},
	}}
}

func credentialsSpec() *spec {
	hosts := listSpec(checked(domainHost))
	shared := []field{
		{name: "mode", doc: "deny hides the secret; mask shows a stand-in that the proxy replaces.", spec: enumSpec("deny", "mask"), required: true},
		{name: "extract", doc: "Regular expression whose first group is the secret.", spec: checked(extractPattern)},
		{name: "onExtractNoMatch", doc: "What happens when it matches nothing.", spec: enumSpec("warn", "deny", "error")},
		{name: "decode", doc: "The secret is a JSON web token.", spec: enumSpec("jwt")},
		{name: "maskClaims", doc: "Claims of the token to mask.", spec: listSpec(wordSpec())},
	}
	inject := field{name: "injectHosts", doc: "Hosts that get the real secret.", spec: hosts}
	name := checked(envName)
	sigv4 := enumSpec("deny", "passthrough")
	files := append([]field{{name: "path", doc: "The file or directory.", spec: pathText(), required: true}}, shared...)
	files = append(files, field{name: "maskDuplicates", doc: "Mask further copies of the value in the file.", spec: boolSpec()}, inject)
	vars := append([]field{{name: "name", doc: "The variable.", spec: name, required: true}}, shared...)
	return &spec{shape: shapeObject, strict: true, fields: []field{
		{name: "files", doc: "Files that hold secrets.", spec: listSpec(&spec{shape: shapeObject, fields: files})},
		{name: "envVars", doc: "Variables that hold secrets.", spec: listSpec(&spec{shape: shapeObject, fields: append(vars, inject)})},
		{name: "allowPlaintextInject", doc: "Send secrets over plain HTTP too.", spec: boolSpec()},
		{name: "awsPairs", doc: "Variables that form an AWS key pair.", spec: listSpec(&spec{shape: shapeObject, strict: true, fields: []field{
			{name: "accessKeyIdVar", doc: "Variable of the key id.", spec: name, required: true},
			{name: "secretAccessKeyVar", doc: "Variable of the secret key.", spec: name, required: true},
			{name: "sessionTokenVar", doc: "Variable of the session token.", spec: name},
		}})},
		{name: "sigv4", doc: "AWS requests that cannot be signed again.", spec: &spec{shape: shapeObject, strict: true, fields: []field{
			{name: "streaming", doc: "Chunked uploads.", spec: sigv4},
			{name: "presigned", doc: "Signed URLs.", spec: sigv4},
			{name: "sigv4a", doc: "Asymmetric signatures.", spec: sigv4},
		}}},
	}}
}

func windowsSpec() *spec {
	return &spec{shape: shapeObject, fields: []field{
		{name: "backend", spec: enumSpec("mxc", "srt-win")},
		{name: "sandboxUser", spec: &spec{shape: shapeString, nonEmpty: true, max: 20}},
		{name: "sublayerGuid", spec: checked(uuidEntry)},
		{name: "wfpSublayerGuid", spec: checked(uuidEntry)},
		{name: "proxyPortRange", spec: &spec{shape: shapePair, whole: portRange}},
		{name: "srtWin", spec: &spec{shape: shapeObject, fields: []field{{name: "path", spec: wordSpec(), required: true}}}},
	}}
}

func pathText() *spec {
	return &spec{shape: shapeString, nonEmpty: true, empty: "Path cannot be empty"}
}

func binarySpec() *spec {
	s := pathText()
	s.check = func(v string) string {
		if !path.IsAbs(v) {
			return "Binary path must be absolute"
		}
		return ""
	}
	return s
}

const domainHelp = `write a host such as "example.com", a wildcard over two labels or more such as "*.example.com", or an IPv6 address in brackets such as "[::1]:443"`

func domainEntry(denied bool) func(string) string { return domainEntryOf(policy.ParseDomain, denied) }

// dottedEntry checks an entry of our own settings.
func dottedEntry(denied bool) func(string) string {
	return domainEntryOf(policy.ParseDottedDomain, denied)
}

func domainEntryOf(parse func(string, bool) (policy.DomainPattern, error), denied bool) func(string) string {
	return func(s string) string {
		if _, err := parse(s, denied); err == nil {
			return ""
		}
		msg := invalidDomain(s)
		if denied {
			return msg + `; in a deny list "*" stands for every host`
		}
		return msg + `; "*" and "*.com" would allow too much`
	}
}

func invalidDomain(s string) string {
	const most = 80 // an entry may be a whole file by mistake
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return "Invalid domain pattern " + policy.Quote(s) + ": " + domainHelp
}

// domainHost checks a pattern that takes no port.
func domainHost(s string) string {
	_, err := policy.ParseDomain(s, false)
	bracketed := strings.HasPrefix(s, "[") && (strings.Contains(s, "*") || !strings.Contains(s, "."))
	if err == nil && !bracketed && !strings.Contains(s, ":") || policy.IsIPv6(s) {
		return ""
	}
	return invalidDomain(s) + "; a port has no meaning here"
}

func addrEntry(s string) string {
	if _, err := policy.ParseAddrRange(s); err == nil {
		return ""
	}
	return `Invalid IP address or CIDR range: write "10.0.0.0/8", "192.168.1.10" or "fc00::/7", IPv6 without brackets`
}

func addrOrPrivate(s string) string {
	if msg := addrEntry(s); msg != "" && s != "private" {
		return msg + `, or "private" for all private ranges`
	}
	return ""
}

func machService(s string) string {
	if strings.Contains(strings.TrimSuffix(s, "*"), "*") {
		return `Wildcards are only allowed as a single trailing "*"`
	}
	return ""
}

func caPair(n *node) string {
	if (n.get("caCertPath").text() == "") != (n.get("caKeyPath").text() == "") {
		return "caCertPath and caKeyPath must be provided together"
	}
	return ""
}

func portRange(n *node) string {
	lo, hi := n.list[0].num, n.list[1].num
	if lo > hi || hi-lo > 64 {
		return "the first port must not be above the second, and at most 64 below it"
	}
	return ""
}
