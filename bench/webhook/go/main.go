// A minimal injector on controller-runtime, as most of its users write one: decode, change the typed object, marshal, let the library make the patch.
// It makes the same changes to a pod as redis-ha does, so that the two can be compared.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

const prefix = "redis-ha.io/"

// Settings are read strictly, as a real injector does; all but the cluster have defaults.
var known = map[string]bool{
	"cluster": true, "role": true, "sentinel": true, "quorum": true, "down-after": true, "failover-timeout": true, "parallel-syncs": true,
	"min-replicas-to-write": true, "min-replicas-max-lag": true, "container": true, "port": true, "auth": true, "master-service": true,
}

type injector struct{ decoder admission.Decoder }

func (i *injector) Handle(_ context.Context, request admission.Request) admission.Response {
	pod := &corev1.Pod{}
	if err := i.decoder.Decode(request, pod); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	cluster := pod.Annotations[prefix+"cluster"]
	if cluster == "" {
		return admission.Allowed("")
	}
	for key := range pod.Annotations {
		if name, ours := strings.CutPrefix(key, prefix); ours && !known[name] {
			return admission.Denied("unknown annotation " + key)
		}
	}
	target := -1
	for index := range pod.Spec.Containers {
		if len(pod.Spec.Containers) == 1 || pod.Spec.Containers[index].Name == "redis" {
			target = index
		}
	}
	if target < 0 || pod.Spec.HostNetwork {
		return admission.Denied("cannot be injected")
	}
	inject(pod, &pod.Spec.Containers[target], cluster, request.Namespace)
	marshaled, err := json.Marshal(pod)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, marshaled)
}

func instance() string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	text := make([]byte, 10)
	for index := range text {
		text[index] = letters[rand.IntN(len(letters))]
	}
	return string(text)
}

func main() {
	port := flag.Int("port", 9443, "HTTPS")
	certs := flag.String("certs", "", "folder with tls.crt and tls.key")
	flag.Parse()
	ctrl.SetLogger(zap.New())
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		fail(err)
	}
	server := webhook.NewServer(webhook.Options{Port: *port, CertDir: *certs})
	server.Register("/mutate/pods", &webhook.Admission{Handler: &injector{decoder: admission.NewDecoder(scheme)}})
	if err := server.Start(ctrl.SetupSignalHandler()); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
