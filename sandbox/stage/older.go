package stage

import (
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
)

// Older says what a version of Landlock cannot do, for which system calls are refused
// instead.
type Older struct {
	Truncate bool // files can be emptied without a right to write (before version 3)
	Connect  bool // connections cannot be judged by their port (before version 4)
	Sockets  bool // sockets are connected by srt, which knows of no domain
	Signal   bool // signals reach processes outside of the domain (before version 6)
}

// sigUsr1 makes node open its debugger, to everybody who can reach its port.
const sigUsr1 = 10

// fSetSig is F_SETSIG of fcntl(2): the signal that tells of input, which may go to
// another process.
const fSetSig = 10

// Flags of open(2).
const (
	oAccMode = 3
	oTrunc   = 0o1000
)

// Calls of [OlderFilter].
var (
	callTruncate       = callNumbers{76, 45}
	callFcntl          = callNumbers{72, 25}
	callKill           = callNumbers{62, 129}
	callTkill          = callNumbers{200, 130}
	callTgkill         = callNumbers{234, 131}
	callRtSigqueueinfo = callNumbers{129, 138}
	callRtTgsigqueue   = callNumbers{297, 240}
	callPidfdSignal    = callNumbers{424, 424}
)

// OlderFilter assembles a filter in the place of what Landlock lacks; nil when it lacks
// nothing. Like [secondFilter] it follows the first filter.
func OlderFilter(arch Arch, o Older) ([]bpf.RawInstruction, error) {
	if o == (Older{}) {
		return nil, nil
	}
	p := &program{arch: arch, code: []bpf.Instruction{bpf.LoadAbsolute{Off: offNumber, Size: 4}}}
	if o.Truncate {
		p.on(callTruncate, errno(eAccess))
		for _, open := range []struct {
			call  callNumbers
			flags uint32
		}{{callOpen, 1}, {callOpenat, 2}} {
			// Opened for writing, it takes the right to write.
			p.on(open.call, slices.Concat([]bpf.Instruction{
				arg(open.flags),
				bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: oAccMode | oTrunc},
			}, when(oTrunc, errno(eAccess)))...)
		}
	}
	if o.Connect {
		p.on(callSocket, slices.Concat([]bpf.Instruction{arg(0)}, when(afInet, errno(eAccess)), when(afInet6, errno(eAccess)))...)
	}
	if o.Sockets {
		p.on(callSocket, slices.Concat([]bpf.Instruction{arg(0)}, when(afInet, errno(eAccess)), when(afInet6, errno(eAccess)), when(afUnix, errno(eAccess)))...)
	}
	if o.Signal {
		for _, call := range []struct {
			numbers callNumbers
			signal  uint32
		}{{callKill, 1}, {callTkill, 1}, {callTgkill, 2}, {callRtSigqueueinfo, 1}, {callRtTgsigqueue, 2}, {callPidfdSignal, 1}} {
			p.on(call.numbers, append([]bpf.Instruction{arg(call.signal)}, when(sigUsr1, errno(ePerm))...)...)
		}
		p.on(callFcntl, slices.Concat([]bpf.Instruction{arg(1)}, when(fSetSig, append([]bpf.Instruction{arg(2)}, when(sigUsr1, errno(ePerm))...)...))...)
	}
	raw, err := p.assemble()
	if err != nil {
		return nil, fmt.Errorf("bug: assembling the filter for an older Landlock: %w", err)
	}
	return raw, nil
}
