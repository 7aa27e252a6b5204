package proxy

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

// A client that cannot authenticate is never relayed. BSD nc, the usual
// ProxyCommand of ssh, is one, and shows nobody a SOCKS reply; so for the port
// of SSH the reason is told in SSH's own words.

const (
	sshPort      = 22
	sshReason    = "connection refused: this SOCKS client cannot authenticate to the sandbox proxy"
	refusalLimit = 5 * time.Second
)

// refuseSocks refuses a client that does not offer password authentication.
func (c *client) refuseSocks() {
	limit := min(refusalLimit, c.run.HeaderTimeout)
	_ = c.conn.SetDeadline(time.Now().Add(limit))
	if _, err := c.conn.Write([]byte{socksVersion, noAuth}); err != nil {
		return
	}
	command, host, port, err := readSocksRequest(c.br)
	if err != nil {
		return
	}
	c.run.busy(c)
	reason := sshReason
	if command == socksConnect {
		req := Request{Protocol: SOCKS, Host: host, Port: port}
		if v := c.run.Decide(c.run.ctx, req); !v.Allow && v.Listed {
			if v.Reason != "" {
				reason = v.Reason
			}
			_ = c.run.refuse(req, reason)
		}
	}
	answer := socksReply(replyRefused)
	if command == socksConnect && port == sshPort {
		answer = append(socksReply(replySuccess), "SSH-2.0-policy_refusal\r\n"...)
		answer = append(answer, sshDisconnect(reason)...)
	}
	// Decide may have asked a human: the answer has its time again.
	_ = c.conn.SetDeadline(time.Now().Add(limit))
	if _, err := c.conn.Write(answer); err == nil {
		c.lingerClose()
	}
}

// socksReply is a reply of RFC 1928 §6 without an address.
func socksReply(code byte) []byte {
	return []byte{socksVersion, code, 0, addrIPv4, 0, 0, 0, 0, 0, 0}
}

// readSocksRequest reads a request of RFC 1928 §4.
func readSocksRequest(r io.Reader) (command byte, host string, port uint16, err error) {
	var b [255 + 2]byte
	if _, err = io.ReadFull(r, b[:socksHeadSize]); err != nil {
		return 0, "", 0, err
	}
	if b[0] != socksVersion {
		return 0, "", 0, net.UnknownNetworkError("SOCKS")
	}
	command = b[1]
	kind, n := b[3], 0
	switch kind {
	case addrIPv4:
		n = net.IPv4len
	case addrIPv6:
		n = net.IPv6len
	case addrName:
		if _, err = io.ReadFull(r, b[:1]); err != nil {
			return 0, "", 0, err
		}
		n = int(b[0])
	default:
		return 0, "", 0, net.UnknownNetworkError("SOCKS address type")
	}
	if _, err = io.ReadFull(r, b[:n+2]); err != nil {
		return 0, "", 0, err
	}
	host = string(b[:n])
	if kind != addrName {
		ip, _ := netip.AddrFromSlice(b[:n])
		host = ip.String()
	}
	return command, host, binary.BigEndian.Uint16(b[n:]), nil
}

// sshDisconnect is the packet (RFC 4253 §6) of an SSH_MSG_DISCONNECT (§11.1)
// with the code HOST_NOT_ALLOWED_TO_CONNECT, as it is before any key exchange.
func sshDisconnect(reason string) []byte {
	const (
		msgDisconnect = 1
		notAllowed    = 1
		block         = 8
		minPadding    = 4
		maxReason     = 1 << 10 // a packet may have 35000 bytes
	)
	reason = strings.ToValidUTF8(strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, reason), "?")
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	payload := []byte{msgDisconnect}
	payload = binary.BigEndian.AppendUint32(payload, notAllowed)
	payload = binary.BigEndian.AppendUint32(payload, uint32(len(reason))) //nolint:gosec // cut above
	payload = append(payload, reason...)
	payload = binary.BigEndian.AppendUint32(payload, 0) // language tag

	// Length (4 bytes), padding length (1), payload and padding together are a
	// multiple of the block.
	padding := block - (4+1+len(payload))%block
	if padding < minPadding {
		padding += block
	}
	packet := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+padding)) //nolint:gosec // cut above
	packet = append(packet, byte(padding))
	packet = append(packet, payload...)
	return append(packet, make([]byte, padding)...)
}
