//go:build tools

// Names the commands to build, so that `go mod tidy` locks what they need. containerd's own go.mod has replace and exclude
// lines, which `go install package@version` refuses.
package tools

import (
	_ "github.com/containerd/containerd/v2/cmd/containerd"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"
	_ "github.com/containerd/containerd/v2/cmd/ctr"
)
