package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// answer is the head of an upstream's response.
type answer struct {
	status  int
	phrase  string
	header  http.Header // without hop-by-hop fields
	length  int64       // of the content, -1 until the connection ends
	chunked bool        // then length is -1
	keep    bool        // the connection stays
}

// readAnswer reads the head of the final response, past interim ones. It is
// not left to http.ReadResponse, which takes Connection away before it can be
// seen what that names.
func readAnswer(br *bufio.Reader) (*answer, error) {
	tp := textproto.NewReader(br)
	for {
		line, err := tp.ReadLine()
		if err != nil {
			return nil, err
		}
		version, rest, _ := strings.Cut(line, " ")
		code, phrase, _ := strings.Cut(rest, " ")
		status, err := strconv.Atoi(code)
		if err != nil || len(code) != 3 || status < 100 || !strings.HasPrefix(version, "HTTP/1.") {
			return nil, fmt.Errorf("malformed status line %.100q", line)
		}
		fields, err := tp.ReadMIMEHeader()
		if err != nil {
			return nil, err
		}
		for name := range fields {
			// textproto lets "Name :" pass, which the client may take for Name.
			if !httpguts.ValidHeaderFieldName(name) {
				return nil, fmt.Errorf("malformed header name %.100q", name)
			}
		}
		if status == http.StatusSwitchingProtocols {
			return nil, errors.New("upstream switches protocols though nobody asked it to")
		}
		if status < http.StatusOK {
			continue
		}
		a := &answer{status: status, phrase: phrase, header: http.Header(fields), length: -1}
		a.keep = version == "HTTP/1.1" && !httpguts.HeaderValuesContainsToken(fields["Connection"], "close")
		if err := a.frame(); err != nil {
			return nil, err
		}
		stripHop(a.header)
		return a, nil
	}
}

// frame works out where the content ends (RFC 9112 §6.3).
func (a *answer) frame() error {
	lengths := a.header["Content-Length"]
	if codings := a.header["Transfer-Encoding"]; len(codings) > 0 {
		if len(codings) > 1 || !sameToken(strings.TrimSpace(codings[0]), "chunked") {
			return fmt.Errorf("transfer coding %.100q", codings)
		}
		a.chunked = true
		a.keep = a.keep && len(lengths) == 0
		delete(a.header, "Content-Length")
		return nil
	}
	for _, s := range lengths {
		n, err := strconv.ParseUint(s, 10, 63)
		if err != nil || s != lengths[0] {
			return fmt.Errorf("Content-Length %.100q", lengths)
		}
		a.length = int64(n)
	}
	if len(lengths) > 0 {
		a.header["Content-Length"] = lengths[:1]
	}
	return nil
}
