// Package sandbox confines one command with what the kernel offers and knows
// nothing of why: it is told paths, switches and listeners in a [Spec], turns
// them into a [Plan] (pure data that can be printed and compared), and runs the
// plan.
//
// On Linux it guarantees, or does not start the command:
//
//   - no path is writable but those that the Spec opens, and none of those that
//     it denies or protects, by whatever name it is reached;
//   - the command lives in user, mount, PID, IPC, UTS and network namespaces of
//     its own, without capabilities, with no_new_privs and a system call filter;
//   - the only way out of its network namespace are the listeners of the Spec,
//     which the caller accepts from outside;
//   - the limits of a [LimitPlan] hold as its Measures say;
//   - everything ends when the caller ends, however that happens.
//
// It does not guarantee: anything about files that other processes of the same
// user change meanwhile, about hard links that exist already, about the disk
// that is filled in what may be written, or about what travels through the listeners.
package sandbox
