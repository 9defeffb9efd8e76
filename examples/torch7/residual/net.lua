-- Residual blocks, as a graph of nngraph.

require 'nngraph'

local function block(x, maps)
    local y = nn.SpatialConvolution(maps, maps, 3, 3, 1, 1, 1, 1)(x)
    y = nn.ReLU()(nn.SpatialBatchNormalization(maps)(y))
    y = nn.SpatialBatchNormalization(maps)(nn.SpatialConvolution(maps, maps, 3, 3, 1, 1, 1, 1)(y))
    return nn.ReLU()(nn.CAddTable()({x, y}))
end

return function(params)
    local channels = params.inputShape and params.inputShape[1] or 1
    local image = nn.Identity()()
    local y = nn.MulConstant(1 / 256)(image)
    y = nn.ReLU()(nn.SpatialConvolution(channels, 16, 3, 3, 2, 2, 1, 1)(y))
    for _ = 1, 3 do
        y = block(y, 16)
    end
    y = nn.Mean(3)(nn.Mean(4)(y))
    y = nn.LogSoftMax()(nn.Linear(16, params.nclasses or 10)(y))
    return { model = nn.gModule({image}, {y}), loss = nn.ClassNLLCriterion(), trainBatchSize = 32 }
end
