// Package supervise keeps a cluster's processes alive beyond the life of the
// control plane that asked for them.
//
// Each cluster has a directory and a supervisor, a process of its own in its
// own session: the control plane's binary, executed again with a hidden command
// that calls Main. It starts the cluster's node processes and drivers, follows
// their log files, records how drivers ended, and in the end removes all of it.
// The control plane talks to it over a unix socket in the directory, and may be
// killed at any time: Attach finds the cluster again.
//
//	control plane ── control.sock ──▶ supervisor ── fork ──▶ node processes, drivers
//	      └──────────── spec.json, drivers/*.json ◀── fsync ──┘
//
// # What holds at any instant
//
//   - The supervisor holds an exclusive flock on DIR/lock from before it starts
//     the first process until after it has removed the last. Who gets the lock
//     knows that there is no supervisor; pids are never used to find that out.
//   - A driver's record is on disk before the driver is executed, and its exit
//     before anybody is told of it. A driver that has a record is never started
//     again.
//   - Whatever the cluster's processes fork, and however it detaches, remains a
//     descendant of the supervisor (PR_SET_CHILD_SUBREAPER), which kills
//     descendants until there are none. Should the supervisor itself be killed,
//     its children follow (PR_SET_PDEATHSIG), and the rest is recognised by the
//     Marker in its environment; Attach looks for it.
//   - Secrets are in files of mode 0600 below a directory of mode 0700 and in
//     environments, never in an argument list.
//
// # The environment of the cluster's processes
//
// Nothing of the control plane's environment reaches them but the names in
// InheritedEnv. HOME is a private directory that goes with the cluster: the
// operator's dot files, credentials among them, are not the script's.
package supervise
