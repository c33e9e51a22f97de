import { readManifests } from '@podfabric/kube'
import { type ClusterZone, type ClusterZoneOptions, clusterZone } from '../src/zone/cluster-zone.ts'

/** A zone with a service `web`, a headless `db` of `replicas` pods and an external `out`. */
export function exampleZone(replicas = 3, options: ClusterZoneOptions = {}): ClusterZone {
  const endpoints = Array.from(
    { length: replicas },
    (_, index) => `{addresses: [10.244.${index >> 8}.${index & 255}], hostname: db-${index}}`,
  )
  const text = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIPs: [10.96.0.7, 'fd00::7'], ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, ports: [{name: sql, port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints: [${endpoints.join(', ')}]
ports: [{name: sql, port: 5432}]
---
apiVersion: v1
kind: Service
metadata: {name: out}
spec: {type: ExternalName, externalName: db.example.com}
`
  const zone = clusterZone(options)
  const { objects, errors } = readManifests(text, { file: 'example.yaml' })
  if (errors[0]) throw errors[0]
  for (const { object } of objects) {
    if (object.kind === 'Service' || object.kind === 'EndpointSlice') zone.update({ type: 'put', object })
  }
  zone.markSynced()
  return zone
}
