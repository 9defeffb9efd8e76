-- The network of examples/prototxt/lenet, module by module.

return function()
    local net = nn.Sequential()
    net:add(nn.MulConstant(1 / 256))
    net:add(nn.SpatialConvolution(1, 20, 5, 5)):add(nn.SpatialMaxPooling(2, 2, 2, 2))
    net:add(nn.SpatialConvolution(20, 50, 5, 5)):add(nn.SpatialMaxPooling(2, 2, 2, 2))
    net:add(nn.View(800):setNumInputDims(3)):add(nn.Linear(800, 500)):add(nn.ReLU(true))
    net:add(nn.Linear(500, 10)):add(nn.LogSoftMax())
    return { model = net }
end
