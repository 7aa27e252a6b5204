package policy

// credential is a place where secrets lie.
type credential struct {
	path   string // below the home unless it begins with /
	reason string
}

// credentials are hidden from reading unless the settings say otherwise. Of
// ~/.ssh all is hidden but what holds no secret and what ssh and git need to
// reach a host that the network rules allow: see sshReadable.
func credentials() []credential {
	out := make([]credential, 0, 256)
	add := func(reason string, paths ...string) {
		for _, p := range paths {
			out = append(out, credential{p, reason})
		}
	}
	add("it holds SSH private keys", ".ssh")
	add("it holds OpenPGP private keys", ".gnupg", "Library/Application Support/gnupg")
	add("it holds cloud credentials", ".aws", ".azure", ".config/gcloud", ".config/doctl", ".config/hcloud", ".config/linode-cli",
		".config/scw", ".oci", ".bluemix", ".aliyun", ".s3cfg", ".boto", ".config/rclone", ".config/openstack", ".fly", ".vercel",
		".config/vercel", ".netlify", ".config/netlify", ".wrangler", ".config/.wrangler", ".config/heroku", ".databrickscfg",
		".snowsql", ".config/cloudflared", ".cloudflared", ".terraform.d/credentials.tfrc.json", ".terraformrc", ".pulumi/credentials.json",
		"Library/Application Support/gcloud", "Library/Application Support/doctl", "Library/Application Support/com.vercel.cli",
		".local/share/com.vercel.cli")
	add("it holds cluster credentials", ".kube", ".config/helm/registry", ".config/containers/auth.json", ".minikube/profiles", ".config/argocd")
	add("it holds container registry credentials", ".docker/config.json", ".dockercfg")
	add("it holds passwords for hosts", ".netrc", "_netrc", ".authinfo", ".authinfo.gpg", ".git-credentials", ".config/git/credentials",
		".curlrc", ".wgetrc", ".pgpass", ".my.cnf", ".mylogin.cnf", ".mongorc.js", ".rediscli_auth", ".smbcredentials", ".vnc/passwd")
	add("it holds package registry tokens", ".npmrc", ".yarnrc", ".yarnrc.yml", ".bunfig.toml", ".pypirc", ".config/pypoetry/auth.toml",
		".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials", ".local/share/gem/credentials", ".bundle/config", ".m2/settings.xml",
		".m2/settings-security.xml", ".gradle/gradle.properties", ".composer/auth.json", ".config/composer/auth.json", ".nuget/NuGet",
		".hex/hex.config", ".config/pip/pip.conf", ".pip/pip.conf", ".condarc", ".config/uv/credentials", ".local/share/uv/credentials",
		"Library/Application Support/pypoetry/auth.toml", "Library/Preferences/pypoetry/auth.toml")
	add("it holds code host and CI tokens", ".config/gh", ".config/hub", ".config/glab-cli", ".config/tea", ".config/github-copilot",
		".circleci/cli.yml", ".travis", ".config/act", ".buildkite", ".sentryclirc", ".config/sentry", ".jira.d", ".config/jira")
	add("it holds tokens of coding agents", ".claude/.credentials.json", ".codex/auth.json", ".gemini/oauth_creds.json",
		".config/anthropic", ".config/openai", ".cursor/auth.json", ".local/share/opencode/auth.json", ".aider.conf.yml", ".config/huggingface", ".huggingface",
		".cache/huggingface/token", ".kaggle")
	add("it holds a password store", ".config/op", ".password-store", ".local/share/pass", ".config/Bitwarden", ".config/Bitwarden CLI",
		".config/keepassxc", ".local/share/keyrings", ".gnome2/keyrings", ".local/share/kwalletd", ".kde/share/apps/kwallet", ".config/1Password",
		".config/lastpass", ".lpass", ".vault-token", ".config/sops", ".config/age", ".local/share/atuin",
		"Library/Keychains", "Library/Application Support/1Password", "Library/Group Containers/2BUA8C4S2C.com.1password",
		"Library/Application Support/Bitwarden", "Library/Application Support/sops", "Library/Passwords")
	add("it holds a browser's cookies and passwords", ".mozilla", ".config/google-chrome", ".config/google-chrome-beta", ".config/chromium",
		".config/BraveSoftware", ".config/microsoft-edge", ".config/vivaldi", ".config/opera", ".librewolf", ".thunderbird", ".zen",
		"snap/firefox/common/.mozilla", "snap/chromium/common/chromium", ".var/app/org.mozilla.firefox", ".var/app/com.google.Chrome",
		"Library/Application Support/Google/Chrome", "Library/Application Support/Firefox", "Library/Application Support/Chromium",
		"Library/Application Support/BraveSoftware", "Library/Application Support/Microsoft Edge", "Library/Application Support/Vivaldi",
		"Library/Application Support/Arc", "Library/Safari", "Library/Cookies", "Library/Containers/com.apple.Safari")
	add("it holds chat and mail data", ".config/Slack", ".config/discord", ".config/Signal", ".local/share/TelegramDesktop",
		"Library/Application Support/Slack", "Library/Application Support/discord", "Library/Application Support/Signal", "Library/Mail", "Library/Messages")
	add("it holds wallet keys", ".bitcoin", ".ethereum", ".electrum", ".config/solana", ".monero", "Library/Application Support/Bitcoin",
		"Library/Ethereum", ".foundry/keystores", ".near-credentials")
	add("it holds commands typed, secrets among them", ".bash_history", ".zsh_history", ".zhistory", ".histfile", ".sh_history", ".local/share/fish/fish_history",
		".python_history", ".node_repl_history", ".psql_history", ".mysql_history", ".sqlite_history", ".rediscli_history", ".irb_history",
		".lesshst", ".viminfo", ".local/state/zsh", ".local/share/zsh", ".zsh_sessions", ".bash_sessions")
	add("it holds the system's secrets", "/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssl/private", "/etc/wireguard", "/etc/krb5.keytab",
		"/run/secrets", "/var/run/secrets", "/Library/Keychains")
	add("it holds network passwords", ".config/openvpn", ".cert", "/etc/NetworkManager/system-connections", ".config/wireguard")
	add("it holds Kerberos tickets", ".k5login", ".config/krb5")
	return out
}

// sshReadable are re-opened below ~/.ssh: they are not secret, and without
// them no SSH host can be named or verified. Which hosts can be reached is the
// network's business.
func sshReadable() []string {
	return []string{".ssh/known_hosts", ".ssh/known_hosts2", ".ssh/config", ".ssh/config.d"}
}

// CredentialRules returns the table of places that are hidden from reading
// when the settings are ours or there are none: rules of the default layer,
// with a reason each, which an entry of any other layer for the same path
// re-opens. Settings in the npm form are complete in themselves and go without
// it.
func CredentialRules() []PathEntry {
	table := credentials()
	out := make([]PathEntry, 0, len(table)+4)
	entry := func(kind PathKind, p, reason string) {
		if p[0] != '/' {
			p = "~/" + p
		}
		out = append(out, PathEntry{Kind: kind, Literal: true, Rule: Rule{Text: p, Reason: reason, Origin: Origin{Key: "credentials"}}})
	}
	for _, c := range table {
		entry(DenyRead, c.path, c.reason)
	}
	for _, p := range sshReadable() {
		entry(AllowRead, p, "it holds no secret and names hosts")
	}
	return out
}
