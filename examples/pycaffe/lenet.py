"""Write LeNet as Python expressions, train it for a while by hand, and test it.

python lenet.py TRAIN_LMDB TEST_LMDB
"""

import sys
import tempfile

import numpy as np

import protonet.pycaffe as caffe
from protonet.pycaffe import layers as L
from protonet.pycaffe import params as P


def lenet(source, batch_size):
    """The net for 8 x 8 digits: smaller kernels than the one for 28 x 28."""
    learned = {"weight_filler": {"type": "xavier"}, "param": [{"lr_mult": 1}, {"lr_mult": 2}]}
    n = caffe.NetSpec()
    n.data, n.label = L.Data(
        source=source,
        backend=P.Data.LMDB,
        batch_size=batch_size,
        transform_param={"scale": 1 / 255},
        ntop=2,
    )
    n.conv1 = L.Convolution(n.data, kernel_size=3, num_output=20, **learned)
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.conv2 = L.Convolution(n.pool1, kernel_size=2, num_output=50, **learned)
    n.pool2 = L.Pooling(n.conv2, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.fc1 = L.InnerProduct(n.pool2, num_output=100, **learned)
    n.relu1 = L.ReLU(n.fc1, in_place=True)
    n.score = L.InnerProduct(n.relu1, num_output=10, **learned)
    n.accuracy = L.Accuracy(n.score, n.label)
    n.loss = L.SoftmaxWithLoss(n.score, n.label)
    return n.to_proto()


def load(proto, phase):
    """The net that a message describes."""
    with tempfile.NamedTemporaryFile("w", suffix=".prototxt") as file:
        file.write(str(proto))
        file.flush()
        return caffe.Net(file.name, phase)


def main(train_source, test_source, iterations=300):
    """Train with momentum, by the arrays; test with the same parameters."""
    caffe.set_mode_cpu()
    caffe.set_random_seed(1)
    net = load(lenet(train_source, 64), caffe.TRAIN)
    test = load(lenet(test_source, 99), caffe.TEST)
    test.share_with(net)
    for name, blob in net.blobs.items():
        print(f"{name:9} {blob.data.shape}")

    step = {name: [np.zeros_like(p.data) for p in params] for name, params in net.params.items()}
    for iteration in range(iterations):
        net.clear_param_diffs()
        loss = net.forward()["loss"]
        net.backward()
        for name, params in net.params.items():
            for place, param in enumerate(params):
                rate = 0.05 if place == 0 else 0.1
                step[name][place] *= 0.9
                step[name][place] += rate * param.diff
                param.data[...] -= step[name][place]
        if iteration % 50 == 0:
            print(f"iteration {iteration:3}: loss {float(loss):.4f}")
    accuracy = np.mean([float(test.forward()["accuracy"]) for _ in range(3)])
    print(f"test accuracy {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main(*sys.argv[1:3])
