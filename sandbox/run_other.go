//go:build !linux

package sandbox

// cgroupPlace is of Linux.
type cgroupPlace struct{ controllers []string }

func newRunner(Start) (runner, error) { return nil, ErrUnsupported }

// PlanLimits finds out how limits can be enforced here: not at all, on this system.
func PlanLimits(l Limits) *LimitPlan {
	return planLimits(l, facts{root: true}, func([]string) *cgroupPlace { return nil })
}

// SocketAt says what is at a path now: nothing, where no sockets are opened by their path.
func SocketAt(string) (Socket, bool) { return Socket{}, false }
