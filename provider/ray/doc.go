// Package ray makes clusters of real Ray processes on this host, one cluster
// per job run or session, each kept by a supervisor (package supervise).
//
// A node is a `ray start --block` process, which starts gcs_server (on the
// head), raylet and log monitor, and ends when one of them does. Each node has
// its own temp directory below the cluster's, and so its own session, logs,
// sockets and spilled objects; plasma's files in /dev/shm are unlinked while
// they are open.
//
// # What start_hook.py changes
//
// Ray calls RAY_START_HOOK between reading its command line and starting a node:
//
//   - `ray start` turns --node-ip-address=127.0.0.1 into the machine's outside
//     address, and for any other address, 127.0.0.2 included, GCS, raylet, agents
//     and workers listen on all interfaces. With 127.0.0.1 itself, which the hook
//     puts back, they listen on loopback only. The nodes then share one address;
//     a node's port and name tell them apart.
//
//   - The head waits for the API server, which without a dashboard serves usage
//     statistics only, before it starts the raylet, and it starts a Ray client
//     server whose port cannot be 0. We start neither. The monitor (--no-monitor)
//     is the autoscaler's, which is not used.
//
//   - A worker fails unless the head's raylet has registered. All it needs of the
//     head is two paths that we know, so all nodes start at once.
//
//   - Ray gives a node 30 seconds to start; ours have as long as the cluster has.
//
//   - Ray's agents do not see the modules that a job brings along, which its
//     workers do: a job that has another aiohttp must not break them.
//
// # What runtime_env_agent.py changes
//
// For a runtime_env with pip or uv Ray copies the environment of the node (700
// MB) and installs into the copy, per cluster. In its place the packages go
// over the runtime by Config.Overlay, once for the host. An environment
// variable PYTHONPATH in env_vars is put before the job's own modules and does
// not replace them. Everything else of runtime_env is Ray's.
//
// # Security
//
// All listening sockets are on 127.0.0.1. Other users of this host are kept out
// by Ray's token authentication (RAY_AUTH_MODE=token) with a token per cluster,
// in a file of mode 0600.
//
// # How a driver finds its cluster
//
// By RAY_ADDRESS. ray.init replaces the hosts "127.0.0.1" and "localhost" by
// the machine's outside address, on which nobody listens, but leaves names
// below "localhost" alone, which gRPC's resolver knows to be loopback without
// asking (RFC 6761): hence ray.localhost.
package ray
