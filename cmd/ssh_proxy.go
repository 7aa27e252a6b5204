package cmd

import (
	"context"
	"os"
	"strconv"

	"github.com/srt-sh/srt/proxy"
)

// sshProxyVerb is what ssh inside a sandbox runs as its ProxyCommand.
type sshProxyVerb struct {
	Host string `arg:""`
	Port string `arg:""`
}

// Run copies between the streams and the host, through the proxy.
func (v *sshProxyVerb) Run(t streams) error {
	if n, err := strconv.ParseUint(v.Port, 10, 16); err != nil || n == 0 {
		return usageError{text: sayPort(v.Port)}
	}
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		if url := os.Getenv(name); url != "" {
			return proxy.Tunnel(context.Background(), url, v.Host, v.Port, t.in, t.out) //nolint:wrapcheck // says host and cause
		}
	}
	return usageError{text: sayNoProxy}
}
