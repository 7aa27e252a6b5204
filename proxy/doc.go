// Package proxy filters the network traffic of a sandbox: HTTP/1.1 requests
// in absolute form, CONNECT tunnels and SOCKS5, all three on the same
// listeners, told apart by the first byte.
//
// What it guarantees:
//
//   - Nothing is resolved and nothing is dialled for a request before
//     [Server.Decide] allowed that very request: the second request of a
//     kept-alive connection is asked about like the first.
//   - A name is resolved once. The addresses that pass [Verdict.Guard] are the
//     only ones dialled, and the name is not looked up again for the dial.
//   - What is sent upstream is written anew from what was parsed and checked.
//     Input that two parsers could read differently is refused, not repaired,
//     and neither the proxy's credentials nor hop-by-hop fields travel on.
//   - The first ClientHello in a tunnel to a name asks for that name or for none,
//     or the tunnel is cut before it leaves (domain fronting).
//   - After [Server.Recheck] nothing is open that Decide or Guard refuse.
//
// What it does not do: it knows no policy and no rules, it does not look into
// TLS, follows no redirect, caches nothing, and speaks neither HTTP/2 nor UDP.
// An encrypted ClientHello shows its outer name only; a second one after a
// HelloRetryRequest, and a TLS session that starts later in a tunnel (STARTTLS),
// are not looked at.
package proxy
