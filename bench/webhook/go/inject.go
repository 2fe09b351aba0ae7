package main

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func inject(pod *corev1.Pod, redis *corev1.Container, cluster, namespace string) {
	set(&pod.Annotations, prefix+"container", redis.Name)
	set(&pod.Annotations, prefix+"status", `{"version":"0.1.0","hash":"0123456789ab","injected":["redis-ha-boot","redis-ha-sentinel"],"at":"`+
		time.Now().UTC().Format(time.RFC3339)+`"}`)
	set(&pod.Labels, prefix+"cluster", cluster)
	set(&pod.Labels, prefix+"instance", instance())
	set(&pod.Labels, prefix+"has-redis", "true")
	set(&pod.Labels, prefix+"has-sentinel", "true")

	pod.Spec.Volumes = append(pod.Spec.Volumes,
		corev1.Volume{Name: "redis-ha", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		corev1.Volume{Name: "redis-ha-pod", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
			Items: []corev1.DownwardAPIVolumeFile{{Path: "slot", FieldRef: fieldRef("metadata.annotations['redis-ha.io/sentinel-slot']")}},
		}}})
	shared := corev1.VolumeMount{Name: "redis-ha", MountPath: "/redis-ha"}
	info := corev1.VolumeMount{Name: "redis-ha-pod", MountPath: "/redis-ha-pod", ReadOnly: true}
	variables := env(cluster, namespace)
	always := corev1.ContainerRestartPolicyAlways
	pod.Spec.InitContainers = append([]corev1.Container{{
		Name: "redis-ha-boot", Image: "redis-ha-boot:0.1.0", ImagePullPolicy: corev1.PullIfNotPresent, Args: []string{"/redis-ha"},
		Resources: resources("10m", "16Mi", "64Mi"), SecurityContext: restricted(nil), VolumeMounts: []corev1.VolumeMount{shared},
	}, {
		Name: "redis-ha-sentinel", Image: redis.Image, ImagePullPolicy: redis.ImagePullPolicy, RestartPolicy: &always,
		Command: []string{"/redis-ha/bin/sentinel"}, Env: variables, Resources: resources("20m", "32Mi", "128Mi"),
		Ports:           []corev1.ContainerPort{{Name: "redis-sentinel", ContainerPort: 26379, Protocol: corev1.ProtocolTCP}},
		SecurityContext: restricted(new(int64(999))), VolumeMounts: []corev1.VolumeMount{shared, info},
	}}, pod.Spec.InitContainers...)

	redis.Env = append(redis.Env, variables...)
	if len(redis.Command) > 0 {
		redis.Args = append(append([]string{}, redis.Command...), redis.Args...)
	}
	redis.Command = []string{"/redis-ha/bin/redis"}
	redis.VolumeMounts = append(redis.VolumeMounts, shared)
	probe := func(period, timeout, failures int32) *corev1.Probe {
		return &corev1.Probe{PeriodSeconds: period, TimeoutSeconds: timeout, FailureThreshold: failures,
			ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(6379)}}}
	}
	if redis.StartupProbe == nil {
		redis.StartupProbe = probe(1, 2, 600)
	}
	if redis.ReadinessProbe == nil {
		redis.ReadinessProbe = probe(2, 2, 3)
	}
	if redis.LivenessProbe == nil {
		redis.LivenessProbe = probe(10, 5, 6)
	}
	if redis.Lifecycle == nil {
		redis.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"/redis-ha/bin/prestop"}}}}
	}
	pod.Spec.ReadinessGates = append(pod.Spec.ReadinessGates, corev1.PodReadinessGate{ConditionType: prefix + "in-sync"})
}

func env(cluster, namespace string) []corev1.EnvVar {
	text := func(name, value string) corev1.EnvVar { return corev1.EnvVar{Name: name, Value: value} }
	from := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: fieldRef(path)}}
	}
	required := false
	return []corev1.EnvVar{
		text("REDIS_HA_CLUSTER", cluster), text("REDIS_HA_ROLE", "auto"), text("REDIS_HA_SENTINEL_HOST", cluster+"-sentinel"),
		text("REDIS_HA_SENTINEL_PORT", "26379"), text("REDIS_HA_MASTER_NAME", namespace+"."+cluster), text("REDIS_HA_PORT", "6379"),
		from("REDIS_HA_POD_IP", "status.podIP"), from("REDIS_HA_POD_NAME", "metadata.name"), from("REDIS_HA_POD_UID", "metadata.uid"),
		from("REDIS_HA_INSTANCE", "metadata.labels['redis-ha.io/instance']"),
		{Name: "REDIS_HA_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: cluster + "-redis-ha"}, Key: "password", Optional: &required}}},
		text("REDISCLI_AUTH", "$(REDIS_HA_PASSWORD)"), text("VALKEYCLI_AUTH", "$(REDIS_HA_PASSWORD)"),
		text("REDIS_HA_DOWN_AFTER_MS", "5000"), text("REDIS_HA_FAILOVER_TIMEOUT_MS", "10000"),
		text("REDIS_HA_MIN_REPLICAS_MAX_LAG", "10"), text("REDIS_HA_GRACE_S", "30"),
	}
}

func fieldRef(path string) *corev1.ObjectFieldSelector {
	return &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}
}

func resources(cpu, memory, limit string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(limit)},
	}
}

func restricted(user *int64) *corev1.SecurityContext {
	no, yes := false, true
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}, ReadOnlyRootFilesystem: &yes,
		RunAsNonRoot: &yes, RunAsUser: user, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

func set(entries *map[string]string, key, value string) {
	if *entries == nil {
		*entries = map[string]string{}
	}
	(*entries)[key] = value
}
