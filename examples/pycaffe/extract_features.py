"""Take the values of an inner layer for images, and see how near alike digits are.

python extract_features.py deploy.prototxt WEIGHTS LMDB features.npz
"""

import sys

import lmdb
import numpy as np

import protonet.pycaffe as caffe


def read(database):
    """Images, N x 1 x 8 x 8, and their digits, from an LMDB of Datum records."""
    images, labels = [], []
    with lmdb.open(database, readonly=True, lock=False) as environment, environment.begin() as all_:
        for _, value in all_.cursor():
            datum = caffe.proto.caffe_pb2.Datum.FromString(value)
            images.append(caffe.io.datum_to_array(datum))
            labels.append(datum.label)
    return np.array(images, np.float32), np.array(labels)


def main(deploy, weights, database, out):
    """Write the features of all images, and look for each one's nearest neighbour."""
    images, labels = read(database)
    net = caffe.Net(deploy, weights, caffe.TEST)
    net.blobs["data"].reshape(50, 1, 8, 8)
    net.reshape()

    transformer = caffe.io.Transformer({"data": net.blobs["data"].data.shape})
    transformer.set_mean("data", np.array([64.0]))
    transformer.set_input_scale("data", 0.0078125)
    ready = np.array([transformer.preprocess("data", image[0]) for image in images])

    found = net.forward_all(blobs=["ip1"], data=ready)
    right = (found["prob"].argmax(axis=1) == labels).mean()
    np.savez(out, features=found["ip1"], labels=labels)
    print(f"{len(images)} images, {found['ip1'].shape[1]} features each, {right:.3f} right")

    # Whose features are nearest: those of the same digit?
    features = found["ip1"]
    distances = ((features[:, None] - features[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    alike = (labels[distances.argmin(axis=1)] == labels).mean()
    print(f"nearest neighbour shows the same digit: {alike:.3f}")
    return right, alike


if __name__ == "__main__":
    main(*sys.argv[1:5])
